//! Says what arrived that was no hint: where and why, never what was in it (I10). Both words may come from strangers.

use std::collections::BTreeMap;

use domain::PoisonMessage;

/// Characters of a stranger's word that are shown.
const SHOWN_CHARS_MAX: usize = 100;
/// Every reason that has a name of its own in metrics.
const REASONS: [&str; 6] = ["unparsable", "unknown_version", "oversized", "expired", "maxlen", "delivery_limit"];

/// The reason as a metric's label: a bounded set.
pub(super) fn label(reason: &str) -> &'static str {
    REASONS.into_iter().find(|known| *known == reason).unwrap_or("other")
}

/// One line for each queue and reason.
pub(super) fn of(duty: &'static str, messages: &[PoisonMessage]) {
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for message in messages {
        *counts.entry((shown(&message.queue), label(&message.reason))).or_default() += 1;
    }
    for ((queue, reason), count) in counts {
        tracing::warn!(
            duty,
            queue.name = queue,
            reason,
            count,
            "messages in a broker queue were no hints: recorded; find out who else publishes there, see docs/troubleshooting.md"
        );
    }
}

/// Short, and on one line.
fn shown(word: &str) -> String {
    word.chars().take(SHOWN_CHARS_MAX).map(|char| if char.is_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_is_bounded() {
        assert_eq!(label("delivery_limit"), "delivery_limit");
        assert_eq!(label("id-4711"), "other", "or every message would make a series");
        assert_eq!(shown("flotilla.v1.q.p2"), "flotilla.v1.q.p2");
        assert_eq!(shown("a\nERROR all is lost\u{1b}[2J"), "a?ERROR all is lost?[2J");
        assert_eq!(shown(&"q".repeat(1_000)).len(), SHOWN_CHARS_MAX);
    }
}
