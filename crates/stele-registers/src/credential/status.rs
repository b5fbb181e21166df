//! Publishing status lists.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{Hash, TimeMs};

use super::state::{self, StatusList, list_ref, status_key};
use super::{SHARD_ENTRIES_MAX, SHARDS_MAX, TEXT_BYTES_MAX, refusals};
use crate::context::Context;
use crate::history;
use crate::register::Stop;
use crate::spec::ensure;

/// The widths of an entry that the Token Status List knows (IETF draft, section 4).
const BITS: [u64; 4] = [1, 2, 4, 8];

pub(super) fn publish(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let list = body.text("list", TEXT_BYTES_MAX)?;
    let published = StatusList {
        root: Hash::from_bytes(body.bytes32("root")?),
        shards: body.uint("shards")?,
        shard_entries: body.uint("shard_entries")?,
        bits: body.uint("bits")?,
        made: TimeMs::new(body.uint("made")?),
        uri: body.opt_text("uri", TEXT_BYTES_MAX)?.map(str::to_owned),
    };

    let within = (1..=SHARDS_MAX).contains(&published.shards)
        && (1..=SHARD_ENTRIES_MAX).contains(&published.shard_entries);
    ensure(within, &refusals::BAD_COUNT)?;
    ensure(BITS.contains(&published.bits), &refusals::LIST_SHAPE)?;
    let issuer = context.signer();
    let reference = list_ref(&issuer, list);
    if let Some(before) = state::status_list(context.own(), &reference)? {
        ensure(before.made < published.made, &refusals::OLDER_LIST)?;
        let same_shape = before.bits == published.bits
            && before.shard_entries == published.shard_entries
            && before.shards <= published.shards;
        ensure(same_shape, &refusals::LIST_SHAPE)?;
    }
    let height = context.height();
    history::write(
        context.state(),
        height,
        &status_key(&reference),
        published.encode(),
    )?;
    let event = BodyBuilder::new()
        .bytes("issuer", issuer.as_bytes())
        .bytes("ref", reference.as_bytes())
        .text("list", list)
        .bytes("root", published.root.as_bytes())
        .uint("made", published.made.get());
    context.emit("status.published", event.build());
    Ok(())
}
