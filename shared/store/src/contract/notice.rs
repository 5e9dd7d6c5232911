//! Are those outside told of every death once, and does what was no hint stay to be looked at?

use domain::bounds::POISON_KEPT_MAX;
use domain::{DeadNotice, PoisonMessage};

use super::Fixture;
use super::bench::Bench;
use super::ledger::ledger;
use super::sample::{PLENTY, SECOND, a_death, kind, queue};

async fn unannounced(f: &dyn Fixture) -> Vec<DeadNotice> {
    ledger(f).unannounced(PLENTY).await.expect("reads")
}

/// A death is unannounced until it was announced, and says all that a listener needs.
pub async fn a_death_is_announced_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    assert_eq!(unannounced(f).await, []);
    let before = b.now();
    b.end(worker, &claimed, a_death()).await;
    let notices = unannounced(f).await;
    assert_eq!(notices.len(), 1);
    let notice = &notices[0];
    assert_eq!((notice.job, notice.run, notice.attempts), (claimed.id, 1, 1));
    assert_eq!((&notice.queue, &notice.kind, &*notice.reason), (&queue(), &kind(), "http_404"));
    assert!(notice.fingerprint.contains("http_404") && notice.at >= before && notice.at <= b.now(), "{notice:?}");
    assert_eq!(unannounced(f).await, notices, "asking changes nothing");
    for _ in 0..2 {
        ledger(f).announced(&notices).await.expect("notes");
        assert_eq!(unannounced(f).await, []);
    }
}

/// A job that died again, while its first death was being announced, has another death to announce.
pub async fn a_second_death_is_announced_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_death()).await;
    let first = unannounced(f).await;
    b.replay(claimed.id).await;
    let again = b.take(worker, claimed.id).await;
    b.end(worker, &again, a_death()).await;
    ledger(f).announced(&first).await.expect("notes");
    let second = unannounced(f).await;
    assert_eq!(second.iter().map(|notice| (notice.job, notice.run)).collect::<Vec<_>>(), [(claimed.id, 2)]);
    ledger(f).announced(&second).await.expect("notes");
    assert_eq!(unannounced(f).await, []);
}

/// A job that was replayed before anybody was told is not dead.
pub async fn a_replayed_death_is_not_announced(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_death()).await;
    b.replay(claimed.id).await;
    assert_eq!(unannounced(f).await, []);
}

/// Deaths are told in their order, as many at a time as asked for.
pub async fn deaths_are_announced_oldest_first(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut died = Vec::new();
    for _ in 0..3 {
        let (worker, claimed) = b.running().await;
        b.end(worker, &claimed, a_death()).await;
        died.push(claimed.id);
        f.advance(SECOND);
    }
    let jobs = |notices: &[DeadNotice]| notices.iter().map(|notice| notice.job).collect::<Vec<_>>();
    let two = ledger(f).unannounced(2).await.expect("reads");
    assert_eq!(jobs(&two), died[..2]);
    ledger(f).announced(&two).await.expect("notes");
    assert_eq!(jobs(&unannounced(f).await), died[2..]);
}

fn message(n: usize) -> PoisonMessage {
    let sample = vec![0, 0xff, b'x', u8::try_from(n % 256).unwrap_or_default()];
    PoisonMessage { queue: format!("foreign \0 {n}"), reason: "unparsable".to_owned(), message_id: None, bytes: n, sample }
}

/// Messages that were no hints are kept whole, whatever is in them, newest first.
pub async fn poison_is_kept_as_it_came(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let named = PoisonMessage { message_id: Some("m-1".to_owned()), queue: "flotilla.v1.mail.p2".to_owned(), ..message(7) };
    ledger(f).record_poison(&[message(1), named.clone()]).await.expect("records");
    ledger(f).record_poison(&[]).await.expect("records nothing");
    let kept = ledger(f).poison(PLENTY).await.expect("reads");
    assert_eq!((kept.len(), &kept[0].message), (2, &named));
    let first = &kept[1].message;
    assert_eq!((first.bytes, &first.sample, &first.message_id), (1, &message(1).sample, &None));
    assert!(!first.queue.contains('\0') && kept[0].at <= b.now(), "{kept:?}");
    assert_eq!(ledger(f).poison(1).await.expect("reads").len(), 1);
}

/// Poison does not fill the store: the oldest goes first.
pub async fn poison_is_bounded(f: &mut dyn Fixture) {
    Bench::new(f).await;
    let flood: Vec<PoisonMessage> = (0..POISON_KEPT_MAX + 5).map(message).collect();
    ledger(f).record_poison(&flood).await.expect("records");
    let kept = ledger(f).poison(POISON_KEPT_MAX * 2).await.expect("reads");
    assert_eq!((kept.len(), kept[0].message.bytes), (POISON_KEPT_MAX, POISON_KEPT_MAX + 4));
    assert_eq!(kept[POISON_KEPT_MAX - 1].message.bytes, 5);
}
