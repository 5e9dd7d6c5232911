//! A file of jobs from the command line.

use std::process::Stdio;

use super::{ended, said};
use crate::process::{Home, text};

const LINE: &str = r#"{"kind":"webhooks.deliver","delay":"1h","tags":["file"],"payload":{"url":"https://example.com/","data":1}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_submitted_whole_or_not_at_all() {
    let home = Home::new();
    let up = home.up();
    let file = home.path().join("jobs.ndjson");
    let argument = format!("@{}", file.display());
    std::fs::write(&file, format!("{LINE}\n\n{LINE}\n{{\"kind\":\"webhooks.delivr\",\"payload\":{{}}}}\n")).expect("written");
    let (code, told) = ended(&home.run(&["submit", "--batch", &argument]));
    assert!(code == Some(3) && told.contains("line 4 /kind") && told.contains("webhooks.deliver"), "{told}");
    assert_eq!(said(&home, &["jobs", "list"])["jobs"].as_array().map(Vec::len), Some(0), "all or none");

    std::fs::write(&file, format!("{LINE}\n\n{LINE}\n{LINE}")).expect("written");
    let output = home.run(&["submit", "--batch", &argument, "--idempotency-key", "file-1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let ids: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!((ids.len(), text(&output.stderr).trim()), (3, "3 submitted"));
    let again = said(&home, &["submit", "--batch", &argument, "--idempotency-key", "file-1"]);
    let same: Vec<&str> = again["jobs"].as_array().expect("a list").iter().filter_map(|job| job["id"].as_str()).collect();
    assert_eq!(same, ids);
    // As a listing, by pages of two.
    let listed = said(&home, &["jobs", "list", "--tag", "file", "--limit", "2"]);
    let cursor = listed["cursor"].as_str().expect("there are more");
    let rest = said(&home, &["jobs", "list", "--tag", "file", "--limit", "2", "--cursor", cursor]);
    assert_eq!((listed["jobs"].as_array().map(Vec::len), rest["jobs"].as_array().map(Vec::len)), (Some(2), Some(1)));
    up.stop().await;
}

/// `flotilla submit --batch @f | head -1`: a file is submitted whole, whether somebody reads the ids or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_leaves_early_does_not_cut_the_file() {
    let home = Home::new();
    let up = home.up();
    let file = home.path().join("jobs.ndjson");
    // More than one request's worth.
    std::fs::write(&file, format!("{LINE}\n").repeat(10_050)).expect("written");
    let mut submit = home.command(&["submit", "--batch", &format!("@{}", file.display())]);
    let mut child = submit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success() && text(&output.stderr).contains("10050 submitted"), "{}", text(&output.stderr));
    up.stop().await;
}
