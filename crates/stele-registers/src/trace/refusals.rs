//! The rules by which `trace` refuses.

use crate::spec::rules;

rules! {
    EVENT_EXISTS = "trace.event.exists", "The party has recorded an event with this id already.",
        "Give each event its own id; correct a wrong one with event.correct.";
    NO_EVENT = "trace.event.unknown", "The party has not recorded an event with this id.",
        "Only the party that recorded an event can correct it; check the id.";
    EVENT_CORRECTED = "trace.event.corrected", "The event has been declared wrong already.",
        "Record a new event with the right content.";
    CLAIMED = "trace.custody.claimed", "The item has a holder already.",
        "The first claim counts; ask the holder to hand the item over.";
    NOT_HOLDER = "trace.custody.not-holder", "Only the present holder of an item may hand it over.",
        "Read item/<hash> to see who holds it; an item without a holder is claimed first.";
    OFFERED = "trace.custody.offered", "The item is offered to another party.",
        "Take the offer back with custody.withdraw first.";
    NOT_OFFERED = "trace.custody.not-offered", "There is no such offer of the item.",
        "The holder offers it with custody.offer; an offer ends when it is accepted or withdrawn.";
    SELF_TRANSFER = "trace.custody.self", "An item cannot be handed to its own holder.",
        "Name another party.";
    NO_RECEIVER = "trace.custody.no-receiver", "The receiver is not registered or no longer active.",
        "Check the DID, or let the receiver register itself first.";
    NOT_COUNTERSIGNED = "trace.custody.not-countersigned", "The receiver has not countersigned.",
        "Let the receiver countersign the entry, or use custody.offer and custody.accept.";
    NOT_MAKER = "trace.lot.not-maker", "Only the maker of a lot and of its items may assign items to it.",
        "Claim the items with custody.claim first; a lot belongs to the party that assigned to it first.";
    IN_LOT = "trace.lot.assigned", "The item belongs to a lot already.",
        "An item is in one lot for ever.";
    NO_LOT = "trace.lot.unknown", "There is no such lot.",
        "Its maker begins a lot with lot.assign.";
    RECALL_TARGET = "trace.recall.target", "A recall names either a lot or at least one item.",
        "Give `lot` or `items`, not both.";
    NOT_RECALLER = "trace.recall.not-allowed", "Only the maker, or a party accredited for trace/recall.issue, may recall.",
        "Ask a steward for the accreditation trace/recall.issue.";
    RECALL_EXISTS = "trace.recall.exists", "The party has issued a recall with this id already.",
        "Give each recall its own id.";
    NO_RECALL = "trace.recall.unknown", "The party has not issued a recall with this id.",
        "Only the issuer closes a recall; check the id.";
    RECALL_CLOSED = "trace.recall.closed", "The recall is closed already.",
        "Issue a new one if it is needed again.";
}
