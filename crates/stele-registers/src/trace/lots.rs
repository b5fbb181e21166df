//! Lots: items of one maker that share their making.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::Hash;

use super::custody::{add_line, items};
use super::state::{self, LineKind, Lot, encode_page, lot_key, page_key};
use super::{PAGE_ITEMS, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;

pub(super) fn assign(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let hash = Hash::from_bytes(body.bytes32("lot")?);
    let items = items(body)?;
    let maker = context.signer();
    let new = Lot {
        maker,
        items: 0,
        recall: None,
        height: context.height(),
    };
    let mut lot = state::lot(context.own(), &hash)?.unwrap_or(new);
    ensure(lot.maker == maker, &refusals::NOT_MAKER)?;
    for item in &items {
        let mut head = match state::item(context.own(), item)? {
            Some(head) if head.maker == Some(maker) => head,
            _ => return Err(refusals::NOT_MAKER.about(item)),
        };
        if head.lot.is_some() {
            return Err(refusals::IN_LOT.about(item));
        }
        head.lot = Some(hash);
        add_line(context, item, &mut head, LineKind::Lot, Some(hash));
    }
    let key = lot_key(&hash);
    append(context, &key, lot.items, &items)?;
    lot.items += items.len() as u64;
    context.put(&key, lot.encode());
    let event = BodyBuilder::new()
        .bytes("lot", hash.as_bytes())
        .bytes("by", maker.as_bytes())
        .uint("items", items.len() as u64);
    context.emit("lot.assigned", event.build());
    Ok(())
}

/// Appends `items` to the pages at `key`, which hold `count` items so far.
pub(super) fn append(
    context: &mut Context<'_, '_>,
    key: &[u8],
    count: u64,
    items: &[Hash],
) -> Result<(), Stop> {
    let mut number = count / PAGE_ITEMS as u64;
    let mut page = state::page(context.own(), key, number)?;
    let mut rest = items;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(PAGE_ITEMS - page.len()));
        page.extend_from_slice(now);
        context.put(&page_key(key, number), encode_page(&page));
        (rest, number) = (later, number + 1);
        page.clear();
    }
    Ok(())
}
