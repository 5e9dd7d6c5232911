//! A corpus of hostile files: every one of them to every route that takes a body, and nothing of it is ever done.

use std::path::PathBuf;

use http::Method;
use producer::{RouteInfo, routes};
use serde_json::Value;

use crate::bench::Bench;
use crate::request::Answer;

const UNKNOWN: &str = "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f";
/// With fewer files, the corpus was not found.
const FILES_MIN: usize = 80;

/// Names and bytes.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = std::fs::read_dir(directory).expect("the corpus");
    let paths = entries.map(|entry| entry.expect("a file").path()).filter(|path| path.extension().is_some_and(|is| is == "json"));
    let files: Vec<_> = paths.map(|path| (path.display().to_string(), std::fs::read(path).expect("readable"))).collect();
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    files
}

/// All that can be seen of what was written.
async fn written(b: &Bench) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/v1/jobs", "/v1/audit", "/v1/api_keys", "/v1/webhook_endpoints", "/v1/operations"] {
        let answer = b.get(path).send().await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text());
        seen.push(answer.json());
    }
    seen
}

async fn post(b: &Bench, path: &str, kind: &str, body: &[u8]) -> Answer {
    b.call("POST", path).header("content-type", kind).bytes(body).send().await
}

fn posts() -> impl Iterator<Item = RouteInfo> {
    routes().into_iter().filter(|route| route.method == Method::POST)
}

#[tokio::test]
async fn every_file_is_refused_by_every_route_and_nothing_is_written() {
    let b = Bench::new().await;
    let before = written(&b).await;
    let files = corpus();
    for route in posts() {
        let path = route.path.replace("{id}", UNKNOWN).replace("{name}", "none");
        for (name, body) in &files {
            let answer = post(&b, &path, "application/json", body).await;
            assert!(answer.status.is_client_error(), "{path}: {name}: {} {:.300}", answer.status, answer.text());
        }
    }
    for (name, body) in &files {
        let answer = post(&b, "/v1/jobs/batch", "application/x-ndjson", body).await;
        assert!(answer.status.is_client_error(), "as lines: {name}: {} {:.300}", answer.status, answer.text());
    }
    assert_eq!(written(&b).await, before);
}

/// The same where there is something to act upon: a body that cannot be read leaves it as it is.
#[tokio::test]
async fn no_file_moves_a_job_that_exists() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let shown = b.get(&format!("/v1/jobs/{job}")).send().await.json();
    for route in posts().filter(|route| route.path.starts_with("/v1/jobs/{id}/")) {
        let path = route.path.replace("{id}", &job.to_string());
        // Bodies are optional here; what is blank is no body, and `null` and `{}` are no wish.
        for (name, body) in corpus().iter().filter(|(_, body)| !matches!(body.trim_ascii(), b"" | b"null" | b"{}")) {
            let answer = post(&b, &path, "application/json", body).await;
            assert!(answer.status.is_client_error(), "{path}: {name}: {} {:.300}", answer.status, answer.text());
        }
    }
    assert_eq!(b.get(&format!("/v1/jobs/{job}")).send().await.json(), shown);
}
