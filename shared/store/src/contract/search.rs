//! Does a search find what contains the text, and nothing else?

use domain::{Failure, JobFilter, JobId, JobState, NewJob};

use super::Fixture;
use super::bench::Bench;
use super::sample::{a_death, other_kind, other_queue, stranger, tenant, unique};
use crate::{End, PageRequest};

async fn found(b: &Bench, q: &str) -> Vec<JobId> {
    let filter = JobFilter { q: Some(q.to_owned()), ..JobFilter::default() };
    let mut ids: Vec<JobId> = b.jobs(filter).await.iter().map(|job| job.id).collect();
    ids.reverse();
    ids
}

/// A text is found in kind, queue, group, unique key and tags, in either case, and wherever in them it is.
pub async fn a_text_is_found_wherever_it_is(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let plain = b.queued().await;
    let elsewhere = b.put(NewJob { queue: other_queue(), kind: other_kind(), ..b.job() }).await;
    let grouped = b.put(NewJob { group: Some("Nightly-Import".to_owned()), ..b.job() }).await;
    let alone = b.put(NewJob { unique: unique("Invoice/4711", None), ..b.job() }).await;
    let tagged = b.put(NewJob { tags: vec!["red".to_owned(), "Käse 100%_a".to_owned()], ..b.job() }).await;
    for (q, expected) in [
        ("L.SEND", vec![plain, grouped, alone, tagged]),
        ("reports", vec![elsewhere]),
        ("ports.bu", vec![elsewhere]),
        ("nightly-i", vec![grouped]),
        ("INVOICE/47", vec![alone]),
        ("4711", vec![alone]),
        ("RED", vec![tagged]),
        ("käse 100%", vec![tagged]),
        ("100%_A", vec![tagged]),
        ("red\",\"K", vec![]),
        ("%", vec![tagged]),
        ("_", vec![tagged]),
        ("10%a", vec![]),
        ("KÄSE", vec![]),
        ("example.com", vec![]),
        ("no such text", vec![]),
    ] {
        assert_eq!(found(&b, q).await, expected, "{q}");
    }
}

/// A failed job is found by its error's code and message, not by what else its error says.
pub async fn a_failed_job_is_found_by_its_error(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.queued().await;
    let (worker, claimed) = b.running().await;
    let failure = Failure::permanent("smtp_550", "Mailbox of Anna is full").with_hint("write a letter");
    b.end(worker, &claimed, End::Dead { failure }).await;
    let (worker, other) = b.running().await;
    b.end(worker, &other, a_death()).await;
    for q in ["SMTP_5", "of anna is", "Full"] {
        assert_eq!(found(&b, q).await, [claimed.id], "{q}");
    }
    for q in ["letter", "permanent", "class"] {
        assert_eq!(found(&b, q).await, [], "{q}");
    }
    let dead = |q: &str| JobFilter { state: Some(JobState::Dead), q: Some(q.to_owned()), ..JobFilter::default() };
    assert_eq!(b.jobs(dead("mailbox")).await.len(), 2);
    assert_eq!(b.jobs(dead("anna")).await.iter().map(|job| job.id).collect::<Vec<_>>(), [claimed.id]);
}

/// A job is found by the beginning of its id, in either case.
pub async fn a_job_is_found_by_the_beginning_of_its_id(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(3).await;
    let text = ids[1].to_string();
    assert_eq!(found(&b, &text).await, [ids[1]]);
    assert_eq!(found(&b, &text.to_uppercase()).await, [ids[1]]);
    assert_eq!(found(&b, &text[..4]).await, ids, "they were minted in one moment");
    assert_eq!(found(&b, &text[1..]).await, [], "not by the rest of it");
    assert_eq!(found(&b, &text.replace('-', "")).await, [], "it is looked for as it is written");
    assert_eq!(found(&b, &format!("{text}0")).await, []);
}

/// A search narrows the other filters, goes on over pages, and finds nothing of another tenant. // I17
pub async fn a_search_narrows_other_filters(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let red = || NewJob { tags: vec!["red".to_owned()], ..b.job() };
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, b.put(red()).await);
        b.queued().await;
    }
    b.put(NewJob { queue: other_queue(), ..red() }).await;
    b.put(NewJob { tenant: stranger(), ..red() }).await;
    let filter = JobFilter { q: Some("re".to_owned()), queue: Some(super::sample::queue()), ..JobFilter::default() };
    let (mut ids, mut after) = (Vec::new(), None);
    for _ in 0..3 {
        let page = b.store.jobs(&tenant(), &PageRequest { filter: filter.clone(), after, limit: 2 }).await.expect("lists");
        ids.extend(page.jobs.iter().map(|job| job.id));
        after = page.next;
    }
    assert_eq!((ids, after), (expected, None));
}
