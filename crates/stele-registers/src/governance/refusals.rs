//! The rules by which `governance` refuses.

use crate::spec::RefusalSpec;

macro_rules! rules {
    ($($name:ident = $code:literal, $sentence:literal, $hint:literal;)*) => {
        $(#[doc = $sentence] pub const $name: RefusalSpec = RefusalSpec::new($code, $sentence, $hint);)*
        /// All of them.
        pub const ALL: &[&RefusalSpec] = &[$(&$name),*];
    };
}

rules! {
    NOT_STEWARD = "governance.not-steward", "Only an active steward may do this.",
        "Ask a member with the role steward to sign the entry.";
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
}
