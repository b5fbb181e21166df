//! The rules by which `identity` refuses.

use crate::spec::rules;

rules! {
    UNKNOWN_KEY = "identity.unknown-key", "The network does not know the key that signed.",
        "Register the party with party.register, as the first command of an entry signed by the first key in its list, or sign with a registered key.";
    KEY_REVOKED = "identity.key-revoked", "The key that signed has been revoked.",
        "Sign with an active key of the party.";
    NETWORK_SUITE = "identity.key.network-suite", "Keys of this suite belong to networks, which sign blocks with them; a party cannot use one.",
        "Register a key of another suite, such as Ed25519 or ES256.";
    SMALL_ORDER = "identity.key.small-order", "The Ed25519 key is a point of small order, so anyone can sign for it.",
        "Make a key with a usual library; no honest one gives such a key.";
    BAD_KEY = "identity.key.malformed", "The key is not a COSE_Key of a suite that this network knows.",
        "Send exactly the members that docs/format.md section 2 lists, in deterministic encoding.";
    KEY_EXISTS = "identity.key.exists", "The key is registered already, and a key belongs to one party for ever.",
        "Make a new key.";
    NO_POSSESSION = "identity.key.no-possession", "The new key has not proven its possession.",
        "Countersign the entry with the new key.";
    TOO_MANY_KEYS = "identity.key.too-many", "A party has at most 16 active keys.",
        "Revoke one that is no longer needed.";
    NOT_YOUR_KEY = "identity.key.not-yours", "The key is not an active key of the signing party.",
        "List the party's keys and name one of them.";
    LAST_KEY = "identity.key.last", "The last key of a party cannot be revoked.",
        "Use key.rotate to replace it, or party.deactivate to end the party.";
    PARTY_EXISTS = "identity.party.exists", "The signing key belongs to a party already.",
        "A party is registered once, by a key that is new.";
    PERSON_NAME = "identity.party.person-name", "A person has no name on the chain.",
        "Leave the name out; show it off-chain in a credential.";
    DEVICE_NEEDS_OWNER = "identity.party.device-needs-owner", "A device is registered by its owner.",
        "Use device.register, signed by the owner and countersigned by the device.";
    NO_SUCH_PARTY = "identity.party.unknown", "The party is not registered or no longer active.",
        "Check the DID, or let the party register itself first.";
    IS_STEWARD = "identity.party.is-steward", "An active steward of the network cannot be deactivated.",
        "Give the role back with governance/role.revoke first.";
    BAD_THRESHOLD = "identity.guardians.bad-threshold", "The threshold is between 1 and the number of guardians, or 0 without any.",
        "For three guardians, 2 is a usual threshold.";
    BAD_GUARDIAN = "identity.guardians.bad-guardian", "A guardian is another active party, named once.",
        "Name registered parties other than the party itself, each once.";
    DELAY_TOO_LONG = "identity.guardians.delay-too-long", "The delay of a recovery is at most 90 days.",
        "Give the delay in milliseconds, at most 7776000000.";
    NOT_GUARDIAN = "identity.recovery.not-guardian", "Only a guardian of the party may do this.",
        "Ask one of the guardians that the party's document lists.";
    RECOVERY_OPEN = "identity.recovery.exists", "A recovery to this key is open already.",
        "Approve it with recovery.approve.";
    NO_RECOVERY = "identity.recovery.unknown", "There is no open recovery of this party to this key.",
        "Open one with recovery.open; a change of guardians, a cancellation or another recovery voids it.";
    ALREADY_APPROVED = "identity.recovery.approved", "The guardian has approved this recovery already.",
        "Wait for the other guardians.";
    NOT_RIPE = "identity.recovery.not-ripe", "The recovery is not approved by enough guardians, or its delay has not passed.",
        "Wait until the threshold is reached and the delay that the party chose has passed.";
    NOT_A_DEVICE = "identity.device.unknown", "The party is not an active device.",
        "Check the device's DID.";
    NOT_OWNER = "identity.device.not-owner", "Only the device's owner may do this.",
        "Ask the owner that the device's document names.";
    NO_NEW_OWNER = "identity.device.no-countersignature", "The new owner, another active party, has not countersigned.",
        "Let the new owner countersign the entry.";
    BAD_RECORDS = "identity.roll.records", "The records are not whole, or more than a roll holds.",
        "A record has 32 bytes for an anchor and 64 otherwise; a roll holds at most 16384 records and 524288 bytes.";
    NOT_ENROLLER = "identity.roll.not-accredited", "The signer is not accredited to enrol such identities.",
        "Ask a steward for identity/anchor.create or identity/organisation.enrol; `scope` says under which accreditation.";
    NO_ROLL = "identity.roll.unknown", "There is no such roll.",
        "Check its id; roll.enrol announces it in its event.";
    OTHER_KIND = "identity.member.other-kind", "The command is not for members of this kind of roll.",
        "Anchors are renewed and recovered; devices and organisations are claimed with their key.";
    NOT_ENROLLED = "identity.member.not-enrolled", "The record does not stand at this place of the roll.",
        "Send the record and its path as the resolution of the identity shows them.";
    MEMBER_ENDED = "identity.member.ended", "The identity has ended, for ever.",
        "Let it be enrolled anew.";
    CLAIMED = "identity.member.claimed", "The identity is a party of its own by now.",
        "Use the commands for parties and devices.";
    NOT_MEMBER_KEY = "identity.member.other-key", "The entry is not signed by the key in the record.",
        "Sign with that key and send it as `key`.";
    NOT_ENDER = "identity.member.not-ender", "Only who enrolled an identity, or a steward, may end it.",
        "Ask the roll's issuer; the root key of an anchor ends it with anchor.end.";
    NOT_OPENED = "identity.anchor.not-opened", "The opening does not fit the anchor's present commitment.",
        "Use the salt, keys and guardians of the newest commitment.";
    SAME_COMMITMENT = "identity.anchor.same", "The new commitment is the one that holds already.",
        "Make one with a fresh salt and a new root key.";
    TOO_FEW_GUARDIANS = "identity.anchor.too-few-guardians", "Too few of the anchor's guardians have countersigned.",
        "Let as many guardians countersign as the threshold says; an anchor without guardians cannot be recovered.";
    NO_ANCHOR_RECOVERY = "identity.anchor.no-recovery", "No recovery of this anchor is agreed.",
        "Agree on one with anchor.recover; the root key voids it by renewing the anchor.";
    BAD_ACTION = "identity.accreditation.bad-action", "An action is `register/what`, or `register/*` for all of a register.",
        "Use lower-case letters, digits, dots and hyphens, as in trace/recall.issue.";
    NOT_ISSUER = "identity.accreditation.not-issuer", "The signer is no steward and holds no delegable accreditation that covers this action and scope.",
        "Ask a steward, or a party whose accreditation for the action is delegable.";
    BAD_PARENT = "identity.accreditation.bad-parent", "The named parent does not allow the signer to grant this.",
        "The parent must be the signer's, valid, delegable, and cover the action and the scope.";
    CHAIN_TOO_LONG = "identity.accreditation.chain-too-long", "A chain of accreditations has at most eight links.",
        "Ask an issuer nearer to the steward.";
    BAD_UNTIL = "identity.accreditation.bad-until", "The end is past already, or later than the parent's.",
        "Choose an end in the future that is not later than the parent's.";
    TOO_MANY_HELD = "identity.accreditation.too-many", "The party holds 64 valid accreditations for this action.",
        "Revoke one that is no longer needed.";
    NO_ACCREDITATION = "identity.accreditation.unknown", "There is no such accreditation.",
        "Check the id; accreditation.grant announces it in its event.";
    ALREADY_REVOKED = "identity.accreditation.revoked", "The accreditation is revoked already.",
        "There is nothing to revoke.";
    NOT_REVOKER = "identity.accreditation.not-revoker", "Only the issuer or a steward may revoke an accreditation.",
        "Ask the issuer that the accreditation names.";
}
