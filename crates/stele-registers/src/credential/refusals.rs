//! The rules by which `credential` refuses.

use crate::spec::rules;

rules! {
    SCHEMA_EXISTS = "credential.schema.exists", "The party has published this version of the schema already.",
        "A published version never changes; publish the next one.";
    NO_SCHEMA = "credential.schema.unknown", "The issuer has not published this version of the schema.",
        "Publish it with schema.publish first, or leave `schema` out.";
    NOT_ACCREDITED = "credential.issuance.not-accredited", "The issuer is not accredited to issue this.",
        "Ask the authority above for the accreditation credential/issue with a scope that covers it; `scope` says under which one is issued.";
    FOREIGN_KEY = "credential.issuance.foreign-key", "The key that signs the credentials is not an active key of the issuer.",
        "Add it to the party with identity/key.add before credentials are signed with it.";
    DOUBTFUL_KEY = "credential.issuance.compromised-key", "The key that signs the credentials is reported as compromised.",
        "Issue with another key of the party.";
    ISSUED = "credential.issuance.exists", "The issuer has committed to this root already.",
        "Ask for the receipt of the value; use fresh salts for another batch.";
    BAD_COUNT = "credential.count", "The number of items is zero or above the limit.",
        "Commit to at least one item, and split what is larger into several batches or lists.";
    OLDER_LIST = "credential.status.older", "The list's new time is not after that of the version before.",
        "Publish lists in the order in which they were made.";
    LIST_SHAPE = "credential.status.shape", "A list keeps its bits and the size of its shards, and never loses a shard.",
        "Begin a new list for another shape.";
    NO_KEY = "credential.compromise.unknown-key", "The network does not know this key.",
        "Check the key id.";
    NOT_YOURS = "credential.compromise.not-allowed", "Only the key's own party, a steward, or who accredited the party may report its key.",
        "Report to one of them.";
    LATER = "credential.compromise.later", "The key is already reported as compromised from an earlier time on.",
        "A report may only move the time further back.";
    FUTURE = "credential.compromise.future", "A key cannot be reported as compromised from a time that is still to come.",
        "Give the moment from which signatures are doubtful; it is not after the block's time.";
    ATTESTED = "credential.document.exists", "This commitment stands in the register already.",
        "Use a fresh salt for another document.";
    NO_DOCUMENT = "credential.document.unknown", "The document to replace does not exist.",
        "Check its commitment.";
    REPLACED = "credential.document.replaced", "The document was replaced before.",
        "Replace the newest version; the value names it.";
    OTHER_SIGNERS = "credential.document.other-signers", "Who signed the document has not signed what is to replace it.",
        "Every signer of the old version signs or countersigns the new one.";
}
