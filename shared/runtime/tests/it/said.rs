//! What handlers say reaches the store and the live feed.

use coordination::{Feed, FeedEvent};
use domain::{JobState, TenantId};
use store::Reports;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::fleet::Fleet;
use crate::player::SOON;
use crate::script::Step;

#[tokio::test]
async fn log_lines_output_and_progress_are_kept() {
    // Global, because handlers run on their own tasks; no other test sets one.
    tracing_subscriber::registry().with(runtime::capture_layer()).init();
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Talk])).await;
    let job = fleet.reaches(id, JobState::Succeeded).await;
    assert_eq!(job.progress, Some(domain::Progress { percent: 50, message: Some("half".to_owned()) }), "the last word is kept");
    let logs = fleet.store.logs(&TenantId::of("default"), id).await.expect("read");
    assert_eq!(logs.len(), 1);
    let lines: Vec<_> = logs[0].lines.iter().map(|line| (line.level.as_str(), line.message.as_str())).collect();
    assert_eq!(lines, vec![("info", "thinking aloud answer=42")]);
    assert_eq!(logs[0].output.as_deref(), Some("word by word"));
    let page = testkit::eventually("the feed has ended", SOON, async || {
        let page = fleet.coordination.read(id, None, 100).await.expect("read");
        Some(page).filter(|page| page.entries.last().is_some_and(|entry| entry.event == FeedEvent::Ended))
    })
    .await;
    let seqs: Vec<_> = page.entries.iter().map(|entry| (entry.id.run, entry.id.seq)).collect();
    assert_eq!(seqs, (1..=5).map(|seq| (1, seq)).collect::<Vec<_>>(), "numbered without holes");
    let expected = [
        FeedEvent::Log { level: "info".to_owned(), message: "thinking aloud answer=42".to_owned() },
        FeedEvent::Progress(domain::Progress { percent: 50, message: Some("half".to_owned()) }),
        FeedEvent::Output { text: "word by ".to_owned() },
        FeedEvent::Output { text: "word".to_owned() },
        FeedEvent::Ended,
    ];
    assert_eq!(page.entries.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), expected);
    worker.stop().await;
}
