//! What do people see? Pages that cover everything once, filters, timelines, counts, and never another tenant's.

use domain::bounds::PAGE_ROWS_MAX;
use domain::{Event, Job, JobFilter, JobId, JobState, NewJob, Priority, WaitingFor};

use super::Fixture;
use super::bench::{Bench, settlement};
use super::ending::Ending;
use super::sample::{HOUR, SECOND, a_failure, a_success, class, class_at, kind, other_kind, other_queue, queue, sorted, stranger, tenant};
use crate::{Depth, End, JobPage, PageRequest, Settlement};

/// Follows the pages from the newest job to the end.
async fn all_pages(b: &Bench, filter: &JobFilter, limit: usize) -> Vec<JobPage> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest { filter: filter.clone(), after, limit };
        let page = b.store.jobs(&tenant(), &request).await.expect("lists");
        assert!(page.jobs.len() <= limit, "{} rows of {limit}", page.jobs.len());
        after = page.next;
        pages.push(page);
        assert!(pages.len() < 1_000, "the pages never end");
        if after.is_none() {
            return pages;
        }
    }
}

fn ids(pages: &[JobPage]) -> Vec<JobId> {
    pages.iter().flat_map(|page| page.jobs.iter().map(|job| job.id)).collect()
}

async fn found(b: &Bench, filter: JobFilter) -> Vec<JobId> {
    let mut ids = ids(&all_pages(b, &filter, 3).await);
    ids.sort_unstable();
    ids
}

/// The pages together hold every job once, newest first, whatever their size. // I7
pub async fn pages_cover_everything_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut expected = b.queued_many(23).await;
    expected.reverse();
    for limit in [1, 5, 23, PAGE_ROWS_MAX] {
        let pages = all_pages(&b, &JobFilter::default(), limit).await;
        assert_eq!(ids(&pages), expected, "{limit} a page");
        assert!(pages.iter().all(|page| page.scanned_until.is_none()), "nothing was left out");
    }
}

/// Jobs that come while somebody turns the pages do not disturb the rest.
pub async fn new_jobs_do_not_disturb_the_pages(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let old = b.queued_many(6).await;
    let request = |after| PageRequest { filter: JobFilter::default(), after, limit: 4 };
    let first = b.store.jobs(&tenant(), &request(None)).await.expect("lists");
    b.queued_many(3).await;
    let second = b.store.jobs(&tenant(), &request(first.next)).await.expect("lists");
    let mut seen = ids(&[first, second]);
    seen.reverse();
    assert_eq!(seen, old);
}

/// Each filter shows exactly what it names, and several narrow each other.
pub async fn filters_show_what_they_name(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let plain = b.queued_many(4).await;
    let tagged = b.put(NewJob { tags: vec!["red".to_owned(), "blue".to_owned()], ..b.job() }).await;
    let elsewhere = b.put(NewJob { queue: other_queue(), kind: other_kind(), tags: vec!["red".to_owned()], ..b.job() }).await;
    let (dead, _) = Ending::Dead.reach(&b, f, b.job()).await;
    let none = JobFilter::default;
    let tag = |tag: &str| Some(tag.to_owned());
    assert_eq!(found(&b, JobFilter { tag: tag("red"), ..none() }).await, [tagged, elsewhere]);
    assert_eq!(found(&b, JobFilter { tag: tag("blue"), ..none() }).await, [tagged]);
    assert_eq!(found(&b, JobFilter { tag: tag("re"), ..none() }).await, [], "a tag is not a prefix");
    assert_eq!(found(&b, JobFilter { kind: Some(other_kind()), ..none() }).await, [elsewhere]);
    assert_eq!(found(&b, JobFilter { queue: Some(other_queue()), ..none() }).await, [elsewhere]);
    assert_eq!(found(&b, JobFilter { state: Some(JobState::Dead), ..none() }).await, [dead]);
    assert_eq!(found(&b, JobFilter { state: Some(JobState::Expired), ..none() }).await, []);
    assert_eq!(found(&b, JobFilter { kind: Some(kind()), queue: Some(other_queue()), ..none() }).await, []);
    let narrow = JobFilter { kind: Some(kind()), queue: Some(queue()), state: Some(JobState::Queued), ..none() };
    assert_eq!(found(&b, JobFilter { tag: tag("red"), ..narrow.clone() }).await, [tagged]);
    assert_eq!(found(&b, narrow).await, sorted(&[plain.as_slice(), &[tagged]].concat()));
}

/// A listing can be bounded by when jobs were accepted.
pub async fn times_bound_a_listing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut marks = vec![b.now()];
    let mut jobs = Vec::new();
    for _ in 0..3 {
        f.advance(SECOND);
        jobs.push(b.queued().await);
        f.advance(SECOND);
        marks.push(b.now());
    }
    let between = |from: Option<usize>, to: Option<usize>| JobFilter {
        created_after: from.map(|n| marks[n]),
        created_before: to.map(|n| marks[n]),
        ..JobFilter::default()
    };
    assert_eq!(found(&b, between(Some(1), None)).await, jobs[1..]);
    assert_eq!(found(&b, between(None, Some(2))).await, jobs[..2]);
    assert_eq!(found(&b, between(Some(1), Some(2))).await, jobs[1..2]);
    assert_eq!(found(&b, between(Some(3), None)).await, []);
    assert_eq!(found(&b, between(Some(0), Some(3))).await, jobs);
}

/// A rare filter looks at a bounded number of rows, says where it stopped, and finds everything in the end. // I7, I15
pub async fn a_rare_filter_returns_short_pages(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let rare = b.put(NewJob { tags: vec!["rare".to_owned()], ..b.job() }).await;
    let mut left = domain::bounds::PAGE_SCAN_ROWS_MAX + 100;
    while left > 0 {
        let batch = left.min(5_000);
        b.queued_many(batch).await;
        left -= batch;
    }
    let filter = JobFilter { tag: Some("rare".to_owned()), ..JobFilter::default() };
    let pages = all_pages(&b, &filter, 10).await;
    assert_eq!(ids(&pages), [rare]);
    for page in &pages {
        let short = page.jobs.len() < 10 && page.next.is_some();
        assert_eq!(page.scanned_until.is_some(), short, "a short page says why, others need not: {page:?}");
    }
}

/// A job as listings show it.
fn outline(job: Job) -> Job {
    assert!(!job.payload.is_empty(), "read alone, it is whole");
    Job { payload: "".into(), result: None, ..job }
}

/// Several jobs are read in the order of asking; those that do not exist are left out.
pub async fn several_jobs_are_read_in_order(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let jobs = b.queued_many(3).await;
    let unknown = b.mint.job(b.now());
    let asked = [jobs[2], unknown, jobs[0], jobs[1]];
    let read: Vec<Job> = b.store.jobs_by_id(&tenant(), &asked).await.expect("reads");
    assert_eq!(read.iter().map(|job| job.id).collect::<Vec<_>>(), [jobs[2], jobs[0], jobs[1]]);
    assert_eq!(read[1], outline(b.read(jobs[0]).await));
    assert_eq!(b.store.jobs_by_id(&tenant(), &[]).await.expect("reads"), []);
}

/// Another tenant's job does not exist, in no reading whatever. // I17
pub async fn another_tenants_job_does_not_exist(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let end = Settlement { output: Some("text".to_owned()), ..settlement(&claimed, a_success()) };
    b.store.settle(worker, &[end]).await.expect("settles");
    let (other, id, store) = (stranger(), claimed.id, &b.store);
    let request = PageRequest { filter: JobFilter::default(), after: None, limit: 10 };
    assert_eq!(store.job(&other, id).await.expect("reads"), None);
    assert_eq!(store.jobs_by_id(&other, &[id]).await.expect("reads"), []);
    assert_eq!(store.jobs(&other, &request).await.expect("lists"), JobPage::default());
    assert_eq!(store.timeline(&other, id).await.expect("reads"), []);
    assert_eq!(store.logs(&other, id).await.expect("reads"), []);
    assert!(!store.timeline(&tenant(), id).await.expect("reads").is_empty());
    assert!(!store.logs(&tenant(), id).await.expect("reads").is_empty());
}

/// A job that does not exist has no timeline and no logs.
pub async fn an_unknown_job_has_no_past(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let unknown = b.mint.job(b.now());
    assert_eq!(b.find(unknown).await, None);
    assert_eq!(b.store.timeline(&tenant(), unknown).await.expect("reads"), []);
    assert_eq!(b.store.logs(&tenant(), unknown).await.expect("reads"), []);
}

/// A retried job's timeline tells its life in order: from, to, which run, whose doing, and why. // I8
pub async fn the_timeline_tells_a_retried_jobs_life(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (first, claimed) = b.running().await;
    f.advance(SECOND);
    b.end(first, &claimed, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    b.let_it_fall_due(f, claimed.id).await;
    let second = b.worker().await;
    let again = b.take(second, claimed.id).await;
    f.advance(SECOND);
    b.end(second, &again, a_success()).await;
    let life = b.store.timeline(&tenant(), claimed.id).await.expect("reads");
    assert!(life.is_sorted_by_key(|step| step.at), "{life:#?}");
    assert_eq!((life[0].from, life[0].to, life[0].run), (None, JobState::Queued, 0), "it begins with the submission");
    let retry = life.iter().find(|step| step.to == JobState::Waiting).expect("the retry is told");
    assert_eq!((retry.from, retry.run, retry.waiting_for), (Some(JobState::Running), 1, Some(WaitingFor::Retry)));
    assert_eq!(retry.actor, format!("worker:{first}"));
    assert!(retry.data.as_ref().is_some_and(|data| data.contains("http_503")), "{retry:?}");
    let end = life.last().expect("the end is told");
    assert_eq!((end.from, end.to, end.run), (Some(JobState::Running), JobState::Succeeded, 2));
    assert_eq!(end.actor, format!("worker:{second}"));
}

/// Every step of every timeline is a legal one, and the last leads to where the job is. // I2
pub async fn timelines_are_legal_walks(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for ending in Ending::ALL {
        let (id, _) = ending.reach(&b, f, b.job()).await;
        let life = b.store.timeline(&tenant(), id).await.expect("reads");
        assert_eq!(life.first().map(|step| step.from), Some(None), "{ending:?}");
        for step in &life {
            let legal = step.from.is_none_or(|from| Event::ALL.into_iter().any(|event| from.after(event) == Some(step.to)));
            assert!(legal, "{ending:?}: {step:?}");
        }
        assert_eq!(life.last().map(|step| step.to), Some(ending.state()), "{ending:?}: {life:#?}");
    }
}

/// Depths count what is queued, by class, with the oldest; classes without any are left out. // I15
pub async fn depths_count_the_queued_by_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    assert_eq!(b.store.depths().await.expect("counts"), []);
    let jobs = b.queued_many(3).await;
    f.advance(SECOND);
    let high = b.put(NewJob { priority: Priority::High, ..b.job() }).await;
    let foreign = b.put(NewJob { queue: other_queue(), ..b.job() }).await;
    b.enqueue(vec![NewJob { tenant: stranger(), queue: other_queue(), ..b.job() }]).await;
    b.waiting_until(b.now() + HOUR).await;
    b.take(b.worker().await, jobs[0]).await;
    let mut depths = b.store.depths().await.expect("counts");
    depths.sort_by(|a, b| (&a.queue, a.priority).cmp(&(&b.queue, b.priority)));
    let mut expected = Vec::new();
    for (class, queued, oldest) in [
        (class(), 2, jobs[1]),
        (class_at(Priority::High), 1, high),
        (domain::Class { queue: other_queue(), priority: Priority::Normal }, 2, foreign),
    ] {
        let oldest = Some(b.read(oldest).await.created_at);
        expected.push(Depth { queue: class.queue, priority: class.priority, queued, oldest });
    }
    assert_eq!(depths, expected);
}

/// A job's group, tags and last failure show wherever it is read; payload and result, which may be large, only where it is
/// read alone. // I7
pub async fn a_page_shows_all_but_what_may_be_large(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = NewJob { tags: vec!["x".to_owned()], group: Some("g".to_owned()), ..b.job() };
    let (worker, claimed) = b.running_of(job).await;
    b.end(worker, &claimed, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    let page = b.jobs(JobFilter::default()).await;
    assert_eq!(page, [outline(b.read(claimed.id).await)]);
    assert_eq!((page[0].error.clone(), page[0].group.as_deref()), (Some(a_failure()), Some("g")));
}
