//! Can people find out who did what?

use domain::{JobId, Priority};

use super::Fixture;
use super::bench::Bench;
use super::sample::{SECOND, operator, outsider, stranger, tenant};
use crate::{Actor, AuditPage, AuditRow};

fn somebody() -> Actor {
    Actor { name: "night shift".to_owned(), ..operator() }
}

/// Follows the pages from the newest row to the end.
async fn found(b: &Bench, page: AuditPage) -> Vec<AuditRow> {
    let (mut rows, mut after) = (Vec::new(), page.after);
    for _ in 0..1_000 {
        let next = b.store.audit(&tenant(), &AuditPage { after, ..page.clone() }).await.expect("reads");
        assert!(next.rows.len() <= page.limit, "{} rows of {}", next.rows.len(), page.limit);
        rows.extend(next.rows);
        after = next.next;
        if after.is_none() {
            return rows;
        }
    }
    panic!("the pages never end");
}

fn targets(rows: &[AuditRow]) -> Vec<&str> {
    rows.iter().map(|row| row.target.as_str()).collect()
}

async fn cancelled(b: &Bench, count: usize) -> Vec<JobId> {
    let ids = b.queued_many(count).await;
    for id in &ids {
        b.cancel(*id).await.expect("cancels");
    }
    ids
}

/// The pages together hold every row of the tenant once, newest first, whatever their size. // I7, I17
pub async fn audit_pages_cover_everything_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = cancelled(&b, 7).await;
    let foreign = super::access::created(&b, &outsider(), "foreign").await;
    let expected: Vec<String> = ids.iter().rev().map(ToString::to_string).collect();
    for limit in [1, 3, 7, 200] {
        let rows = found(&b, AuditPage { limit, ..AuditPage::default() }).await;
        assert_eq!(targets(&rows), expected, "{limit} a page");
    }
    let theirs = b.audit(&stranger()).await;
    assert_eq!(targets(&theirs), [foreign.id.to_string()]);
    f.advance(SECOND);
    let page = AuditPage { limit: 4, ..AuditPage::default() };
    let first = b.store.audit(&tenant(), &page).await.expect("reads");
    let newer = cancelled(&b, 2).await;
    let second = b.store.audit(&tenant(), &AuditPage { after: first.next, ..page }).await.expect("reads");
    assert_eq!(targets(&[first.rows, second.rows].concat()), expected, "new rows do not disturb the pages");
    assert_eq!(targets(&b.audit(&tenant()).await)[..2], [newer[1].to_string(), newer[0].to_string()]);
}

/// Each filter shows exactly what it names, and several narrow each other.
pub async fn audit_filters_show_what_they_name(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = cancelled(&b, 2).await;
    let moved = b.queued().await;
    b.store.reprioritize(&somebody(), moved, Priority::High, None).await.expect("moves");
    b.store.cancel(&somebody(), moved, None).await.expect("cancels");
    let page = || AuditPage { limit: 2, ..AuditPage::default() };
    let text = |text: &str| Some(text.to_owned());
    let (one, two, other) = (ids[0].to_string(), ids[1].to_string(), moved.to_string());
    assert_eq!(targets(&found(&b, AuditPage { actor: text("night shift"), ..page() }).await), [other.as_str(), &other]);
    assert_eq!(targets(&found(&b, AuditPage { actor: text("ops"), ..page() }).await), [two.as_str(), &one]);
    assert_eq!(targets(&found(&b, AuditPage { action: text("job.cancel"), ..page() }).await), [other.as_str(), &two, &one]);
    assert_eq!(targets(&found(&b, AuditPage { target: text(&one), ..page() }).await), [one.as_str()]);
    let narrow = AuditPage { action: text("job.reprioritize"), target: text(&other), actor: text("night shift"), ..page() };
    assert_eq!(targets(&found(&b, narrow.clone()).await), [other.as_str()]);
    assert_eq!(found(&b, AuditPage { actor: text("night"), ..narrow.clone() }).await, [], "a name is not a prefix");
    assert_eq!(found(&b, AuditPage { target: text(&one), ..narrow }).await, []);
}
