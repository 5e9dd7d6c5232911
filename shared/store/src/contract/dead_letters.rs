//! Do people see who died of what, and how many died alike?

use domain::{Cursor, DeadFilter, Failure, JobFilter, JobId, JobState, NewJob, QueueName};

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{HOUR, SECOND, a_death, a_success, kind, operator, other_kind, other_queue, queue, stranger, tenant};
use crate::{DeadGroup, DeadLetter, DeadPage, End, PageRequest};

/// Follows the pages from the newest to the end.
async fn all_pages(b: &Bench, filter: &DeadFilter, limit: usize) -> Vec<DeadLetter> {
    let (mut letters, mut after) = (Vec::new(), None);
    for _ in 0..1_000 {
        let page = DeadPage { filter: filter.clone(), after, limit };
        let page = b.store.dead_letters(&tenant(), &page).await.expect("lists");
        assert!(page.dead_letters.len() <= limit, "{} of {limit}", page.dead_letters.len());
        letters.extend(page.dead_letters);
        after = page.next;
        if after.is_none() {
            return letters;
        }
    }
    panic!("the pages never end");
}

async fn found(b: &Bench, filter: DeadFilter) -> Vec<JobId> {
    let mut ids: Vec<JobId> = all_pages(b, &filter, 2).await.iter().map(|letter| letter.job).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
    ids.reverse();
    ids
}

async fn dies(b: &Bench, job: NewJob, code: &str, message: &str) -> JobId {
    let class = domain::Class { queue: job.queue.clone(), priority: job.priority };
    let id = b.put(job).await;
    let worker = b.worker_for(&[kind(), other_kind()]).await;
    let claimed = b.store.claim(&b.claim_in(&class, worker, &[id])).await.expect("claims").jobs.remove(0);
    let failure = Failure::permanent(code, message).with_hint("ask the mail people");
    b.end(worker, &claimed, End::Dead { failure }).await;
    id
}

/// A dead letter tells what its job died of, when, and after how many attempts.
pub async fn a_dead_letter_tells_of_the_death(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let before = b.now();
    let id = dies(&b, b.job(), "http_404", "no such mailbox").await;
    let letters = all_pages(&b, &DeadFilter::default(), 10).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!((letter.job, &letter.queue, &letter.kind, letter.attempts), (id, &queue(), &kind(), 1));
    assert_eq!((letter.fingerprint.as_str(), letter.reason.as_str()), ("mail.send/permanent/http_404", "http_404"));
    assert_eq!((letter.message.as_str(), letter.hint.as_deref()), ("no such mailbox", Some("ask the mail people")));
    assert!(letter.at >= before && letter.at <= b.now() && Some(letter.at) == b.read(id).await.finished_at, "{letter:?}");
}

/// The pages together hold every dead job of the tenant once, whatever their size; others have none. // I7, I17
pub async fn dead_letter_pages_cover_everything_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(Ending::Dead.reach(&b, f, b.job()).await.0);
        if n % 2 == 0 {
            Ending::Succeeded.reach(&b, f, b.job()).await;
        }
    }
    Ending::DeadByRescue.reach(&b, f, b.job()).await;
    let worker = b.worker().await;
    let foreign = b.put(NewJob { tenant: stranger(), ..b.job() }).await;
    let claimed = b.take(worker, foreign).await;
    b.end(worker, &claimed, a_death()).await;
    for limit in [1, 2, 6, 200] {
        let ids: Vec<JobId> = all_pages(&b, &DeadFilter::default(), limit).await.iter().rev().map(|letter| letter.job).collect();
        assert_eq!(ids[..5], expected, "{limit} a page");
        assert_eq!(ids.len(), 6, "{limit} a page");
    }
    let page = DeadPage { limit: 9, ..DeadPage::default() };
    let theirs = b.store.dead_letters(&stranger(), &page).await.expect("lists");
    assert_eq!(theirs.dead_letters.iter().map(|letter| letter.job).collect::<Vec<_>>(), [foreign]);
    let end = DeadPage { after: Some(Cursor(expected[0])), ..page };
    assert_eq!(b.store.dead_letters(&tenant(), &end).await.expect("lists"), crate::DeadLetterPage::default());
}

/// Each filter shows exactly what it names, and several narrow each other.
pub async fn dead_letter_filters_show_what_they_name(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let elsewhere = || NewJob { queue: other_queue(), kind: other_kind(), ..b.job() };
    let first = dies(&b, b.job(), "http_404", "gone").await;
    f.advance(HOUR);
    let between = b.now();
    f.advance(SECOND);
    let second = dies(&b, b.job(), "http_410", "gone for good").await;
    let third = dies(&b, elsewhere(), "http_404", "gone").await;
    let none = DeadFilter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(&b, none()).await, [first, second, third]);
    assert_eq!(found(&b, DeadFilter { queue: Some(other_queue()), ..none() }).await, [third]);
    assert_eq!(found(&b, DeadFilter { kind: Some(kind()), ..none() }).await, [first, second]);
    assert_eq!(found(&b, DeadFilter { reason: text("http_404"), ..none() }).await, [first, third]);
    assert_eq!(found(&b, DeadFilter { fingerprint: text("mail.send/permanent/http_404"), ..none() }).await, [first]);
    assert_eq!(found(&b, DeadFilter { dead_after: Some(between), ..none() }).await, [second, third]);
    assert_eq!(found(&b, DeadFilter { dead_before: Some(between), ..none() }).await, [first]);
    assert_eq!(found(&b, DeadFilter { dead_after: Some(between), dead_before: Some(between), ..none() }).await, []);
    assert_eq!(found(&b, DeadFilter { reason: text("http_4"), ..none() }).await, [], "a code is not a prefix");
    assert_eq!(found(&b, DeadFilter { kind: Some(kind()), queue: Some(other_queue()), ..none() }).await, []);
}

/// A replayed job is dead no more; when it dies again, that is the death which counts.
pub async fn a_replayed_job_is_dead_no_more(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = dies(&b, b.job(), "http_404", "gone").await;
    b.store.retry(&operator(), id, None).await.expect("replays");
    assert_eq!(found(&b, DeadFilter::default()).await, []);
    assert_eq!(b.store.dead_groups(&tenant(), &DeadFilter::default(), 9).await.expect("groups"), []);
    f.advance(SECOND);
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, End::Dead { failure: Failure::permanent("http_410", "gone for good") }).await;
    let letters = all_pages(&b, &DeadFilter::default(), 5).await;
    assert_eq!(letters.iter().map(|letter| (letter.job, letter.reason.as_str())).collect::<Vec<_>>(), [(id, "http_410")]);
    assert_eq!(letters[0].hint, None);
}

/// Deaths of one queue that look alike are one group, with the latest as its sample; the most recent group comes first.
pub async fn deaths_that_look_alike_are_one_group(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut deaths: Vec<(JobId, QueueName)> = Vec::new();
    let rows =
        [(queue(), "http_404", "one"), (queue(), "http_410", "two"), (other_queue(), "http_404", "three"), (queue(), "http_404", "four")];
    for (queue, code, message) in rows {
        f.advance(SECOND);
        deaths.push((dies(&b, NewJob { queue: queue.clone(), ..b.job() }, code, message).await, queue));
    }
    let groups = b.store.dead_groups(&tenant(), &DeadFilter::default(), 9).await.expect("groups");
    let seen = |group: &DeadGroup| (group.queue.clone(), group.reason.clone(), group.count, group.message.clone(), group.sample);
    let group = |n: usize, reason: &str, count: u64, message: &str| {
        (deaths[n].1.clone(), reason.to_owned(), count, message.to_owned(), deaths[n].0)
    };
    let expected = [group(3, "http_404", 2, "four"), group(2, "http_404", 1, "three"), group(1, "http_410", 1, "two")];
    assert_eq!(groups.iter().map(seen).collect::<Vec<_>>(), expected);
    let at = async |n: usize| b.read(deaths[n].0).await.finished_at.expect("it ended");
    assert_eq!((groups[0].first_at, groups[0].last_at), (at(0).await, at(3).await));
    assert!(groups.iter().all(|group| group.kind == kind() && group.fingerprint.ends_with(&group.reason)), "{groups:?}");
    let narrow = DeadFilter { reason: Some("http_404".to_owned()), dead_before: Some(at(3).await), ..DeadFilter::default() };
    let narrowed = b.store.dead_groups(&tenant(), &narrow, 9).await.expect("groups");
    assert_eq!(narrowed.iter().map(seen).collect::<Vec<_>>(), [group(2, "http_404", 1, "three"), group(0, "http_404", 1, "one")]);
    let none = DeadFilter::default;
    for (filter, found) in [
        (DeadFilter { queue: Some(other_queue()), ..none() }, vec![2]),
        (DeadFilter { kind: Some(kind()), ..none() }, vec![3, 2, 1]),
        (DeadFilter { kind: Some(other_kind()), ..none() }, vec![]),
        (DeadFilter { fingerprint: Some("mail.send/permanent/http_410".to_owned()), ..none() }, vec![1]),
        (DeadFilter { dead_after: Some(at(1).await), ..none() }, vec![3, 2]),
    ] {
        let groups = b.store.dead_groups(&tenant(), &filter, 9).await.expect("groups");
        let samples: Vec<JobId> = groups.iter().map(|group| group.sample).collect();
        assert_eq!(samples, found.into_iter().map(|n: usize| deaths[n].0).collect::<Vec<_>>(), "{filter:?}");
    }
    assert_eq!(b.store.dead_groups(&tenant(), &DeadFilter::default(), 1).await.expect("groups").len(), 1);
    assert_eq!(b.store.dead_groups(&stranger(), &DeadFilter::default(), 9).await.expect("groups"), []);
}

/// Dead jobs are found at once, however many others there are, and also by what else the listing's filter names. // I7
pub async fn rare_dead_jobs_are_found_at_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let dead = dies(&b, NewJob { tags: vec!["x".to_owned()], ..b.job() }, "http_404", "gone").await;
    let other = dies(&b, NewJob { queue: other_queue(), kind: other_kind(), ..b.job() }, "http_410", "gone").await;
    let mut left = domain::bounds::PAGE_SCAN_ROWS_MAX + 100;
    while left > 0 {
        let batch = left.min(5_000);
        b.queued_many(batch).await;
        left -= batch;
    }
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_success()).await;
    let is_dead = || JobFilter { state: Some(JobState::Dead), ..JobFilter::default() };
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (is_dead(), vec![other, dead]),
        (JobFilter { kind: Some(kind()), ..is_dead() }, vec![dead]),
        (JobFilter { queue: Some(other_queue()), ..is_dead() }, vec![other]),
        (JobFilter { tag: text("x"), ..is_dead() }, vec![dead]),
        (JobFilter { q: text("HTTP_41"), ..is_dead() }, vec![other]),
        (JobFilter { created_before: Some(b.now() - HOUR), ..is_dead() }, vec![]),
    ] {
        let request = PageRequest { filter, after: None, limit: 10 };
        let page = b.store.jobs(&tenant(), &request).await.expect("lists");
        assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), expected, "{request:?}");
        assert_eq!((page.next, page.scanned_until), (None, None), "{request:?}");
    }
    let first = b.store.jobs(&tenant(), &PageRequest { filter: is_dead(), after: None, limit: 1 }).await.expect("lists");
    assert_eq!(first.next, Some(Cursor(other)));
    let rest = b.store.jobs(&tenant(), &PageRequest { filter: is_dead(), after: first.next, limit: 1 }).await.expect("lists");
    assert_eq!((rest.jobs.len(), rest.jobs[0].id, rest.next), (1, dead, None));
}
