//! The rules by which `governance` refuses.

use crate::spec::rules;

rules! {
    NOT_STEWARD = "governance.not-steward", "Only an active steward may do this.",
        "Ask a member with the role steward to sign the entry.";
    NEEDS_PROPOSAL = "governance.needs-proposal", "In a network of several validators the stewards decide this together.",
        "Open a proposal with proposal.open, or run `stele network propose`.";
    NO_COMMITTEE = "governance.no-committee", "This network has one validator, so there is no committee to change.",
        "Found a network of several validators with `stele network new`.";
    NOT_MEMBER = "governance.member.unknown", "The party is not a member of the network.",
        "Add it with member.add first.";
    ALREADY_MEMBER = "governance.member.exists", "The party is a member already.",
        "Use member.restore if it is suspended.";
    NO_SUCH_PARTY = "governance.member.no-party", "The party is not registered or no longer active.",
        "Let it register itself with identity/party.register first.";
    BAD_KIND = "governance.member.bad-kind", "Only an organisation, an authority or a service can be a member.",
        "Persons and devices act under the member that is responsible for them.";
    SUSPENDED = "governance.member.suspended", "The member is suspended.",
        "A steward may restore it with member.restore.";
    NOT_SUSPENDED = "governance.member.not-suspended", "The member is not suspended.",
        "There is nothing to restore.";
    SELF_SUSPENSION = "governance.member.self-suspension", "A steward cannot suspend itself.",
        "Give the role back with role.revoke, or ask another steward.";
    BAD_ROLE = "governance.role.bad-name", "A role's name is 1 to 32 lower-case letters and hyphens and begins with a letter.",
        "Use a name such as registrar or data-steward.";
    ROLE_HELD = "governance.role.held", "The member holds the role already.",
        "There is nothing to grant.";
    ROLE_NOT_HELD = "governance.role.not-held", "The member does not hold the role.",
        "Check the member's roles and the spelling.";
    TOO_MANY_ROLES = "governance.role.too-many", "A member holds at most 32 roles.",
        "Revoke one that is no longer needed.";
    LAST_STEWARD = "governance.role.last-steward", "The last active steward cannot lose the role.",
        "Grant the role to another active member first.";
    BAD_REGISTER = "governance.register.bad-name", "This is not a register's name.",
        "A name is a lower-case letter and up to 31 letters, digits or hyphens.";
    OLD_VERSION = "governance.register.old-version", "A register's versions only go up, from 1.",
        "Name a version above the last one that was activated.";
    PAST_HEIGHT = "governance.register.past-height", "A version becomes active in a later block, and after every version before it.",
        "Choose a height that gives all operators time to install the release.";
    TOO_MANY_VERSIONS = "governance.register.too-many-versions", "The register has been given too many versions.",
        "Withdraw one that is not yet active.";
    NOT_PENDING = "governance.register.not-pending", "The version is not waiting to become active.",
        "Only the last version can be withdrawn, and only before its height.";
    PROPOSAL_UNKNOWN = "governance.proposal.unknown", "There is no such proposal.",
        "List them with `stele network proposals`; they are numbered from 1.";
    PROPOSAL_OVER = "governance.proposal.over", "The proposal takes no votes any more.",
        "Open a new one if it is still wanted.";
    PROPOSAL_NOT_YOURS = "governance.proposal.not-yours", "Only its proposer can withdraw a proposal.",
        "Vote against it instead.";
    PROPOSAL_BAD_ACTION = "governance.proposal.bad-action", "A command of the proposal is none that stewards decide on, or does not fit.",
        "Propose commands that docs/registers/governance.md names as decided together, each as [name, body].";
    PROPOSAL_BAD_TIME = "governance.proposal.bad-time", "A proposal is open for 1 millisecond to 366 days.",
        "Leave open-ms out for 30 days.";
    PROPOSAL_TOO_MANY_VOTES = "governance.proposal.too-many-votes", "A proposal keeps at most 128 votes on either side.",
        "Take the role steward from members that no longer need it.";
    COMMITTEE_EMPTY = "governance.committee.empty", "A committee has at least one validator.",
        "Add another validator before the last one leaves.";
    COMMITTEE_FULL = "governance.committee.full", "A committee has at most 100 validators.",
        "Let one leave first, or run the new node as a follower.";
    CHANGE_PENDING = "governance.change.pending", "The committee is changing already.",
        "Try again when the change is done; `stele network status` shows it.";
    CHANGE_NONE = "governance.change.none", "No change of the committee is under way in this round.",
        "Look at the round of the pending change; it may be done or given up.";
    CHANGE_BAD_TIME = "governance.change.bad-time", "Dealings are waited for between 1 millisecond and one day.",
        "Leave dealing-ms out for one minute.";
    VALIDATOR_UNKNOWN = "governance.validator.unknown", "No validator has this node key.",
        "`stele network status` lists the node keys of the validators.";
    VALIDATOR_EXISTS = "governance.validator.exists", "A validator has this node key or address already.",
        "Give the new validator a key and an address of its own.";
    VALIDATOR_NOT_YOURS = "governance.validator.not-yours", "Another member runs this validator.",
        "Sign with the key of the member that runs it.";
    VALIDATOR_BAD_KEY = "governance.validator.bad-key", "The node key is no Ed25519 key that binds anyone.",
        "Use the node key that `stele network join` prints.";
    VALIDATOR_BAD_ADDRESS = "governance.validator.bad-address", "A validator's address is host:port.",
        "Give the address where the other validators reach it, for instance validator.example:7100.";
    DEALING_EXISTS = "governance.dealing.exists", "This validator has dealt in this round already.",
        "There is nothing to do: the first dealing counts.";
    DEALING_LATE = "governance.dealing.late", "The dealings of this round are complete.",
        "There is nothing to do: the change goes on without this dealing.";
    DEALING_INCOMPLETE = "governance.dealing.incomplete", "The dealings of this round are not complete yet.",
        "Wait until all validators have dealt, or until the time for dealing is over and a quorum has.";
    EVIDENCE_NO_VALIDATOR = "governance.evidence.no-validator", "The committee has no validator with this node key.",
        "Name the number of a committee that the accused validator belongs to.";
    EVIDENCE_NO_CONFLICT = "governance.evidence.no-conflict", "The two votes do not contradict each other.",
        "Report two votes of one round that no honest validator casts both.";
    EVIDENCE_BAD_SIGNATURE = "governance.evidence.bad-signature", "A vote is not signed by the accused validator in this network.",
        "Report the votes as they were received.";
    EVIDENCE_KNOWN = "governance.evidence.known", "This evidence is on the chain already.",
        "There is nothing to report.";
}
