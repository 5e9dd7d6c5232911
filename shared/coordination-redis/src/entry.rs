//! How does an event look in a stream, and what does a reply with some of them say?

use coordination::{FeedEntry, FeedEvent, FeedId, FeedPage};
use redis::from_redis_value;
use redis::streams::{StreamId, StreamRangeReply};

/// What the script writes besides the event: see `scripts/append.lua`.
const BEFORE: &str = "before";
const EVENT: &str = "event";

/// The event as stored. It cannot fail: there is nothing in it that JSON does not know.
pub(crate) fn encode(event: &FeedEvent) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

/// The page that follows `after`. What this version does not understand is passed over: another version wrote it.
pub(crate) fn page(reply: &StreamRangeReply, after: Option<FeedId>) -> FeedPage {
    // The first entry that is kept after `after` names the one before it: if that is newer than `after`, it was dropped.
    let dropped = reply.ids.first().and_then(|first| field(first, BEFORE)?.parse::<FeedId>().ok());
    let gap = dropped.is_some_and(|dropped| after.is_none_or(|after| dropped > after));
    FeedPage { entries: reply.ids.iter().filter_map(decode).collect(), gap }
}

/// The place of the last entry, understood or not.
pub(crate) fn last(reply: &StreamRangeReply) -> Option<FeedId> {
    reply.ids.last()?.id.parse().ok()
}

fn decode(raw: &StreamId) -> Option<FeedEntry> {
    let entry = raw.id.parse().ok().zip(field(raw, EVENT).and_then(|text| serde_json::from_str(&text).ok()));
    if entry.is_none() {
        tracing::debug!("an event of the live feed was passed over: it is not of this version");
    }
    entry.map(|(id, event)| FeedEntry { id, event })
}

fn field(raw: &StreamId, name: &str) -> Option<String> {
    raw.map.get(name).cloned().and_then(|value| from_redis_value(value).ok())
}
