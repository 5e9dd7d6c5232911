//! Starting, and refusing to start with a sentence.

use std::io::Write;

use crate::process::{Home, text};

/// Fails with code 1, and says these words.
fn refused(home: &Home, words: &[&str]) {
    let output = home.run(&["up", "--listen", "127.0.0.1:0"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_second_up_says_who_holds_the_directory() {
    let home = Home::new();
    let up = home.up();
    let pid = up.child.id().to_string();
    refused(&home, &["in use by another process", &pid, up.client.url(), "hint:"]);
    assert_eq!(up.stop().await.0, Some(0));
}

#[test]
fn a_damaged_database_is_refused() {
    let home = Home::new();
    std::fs::create_dir_all(home.data_dir()).expect("made");
    std::fs::write(home.data_dir().join("flotilla.db"), "this is no database, but it is long enough to be looked at as one")
        .expect("written");
    refused(&home, &["hint:"]);
}

#[tokio::test]
async fn a_database_damaged_in_the_middle_is_never_a_panic() {
    let home = Home::new();
    home.up().stop().await;
    let path = home.data_dir().join("flotilla.db");
    let bytes = std::fs::read(&path).expect("readable");
    let mut file = std::fs::File::create(&path).expect("writable");
    file.write_all(&bytes[..100]).and_then(|()| file.write_all(&vec![0xAB; bytes.len() - 100])).expect("written");
    drop(file);
    refused(&home, &["damaged", "hint:"]);
}

#[tokio::test]
async fn a_missing_secret_is_not_made_anew_beside_what_was_sealed_with_it() {
    let home = Home::new();
    home.up().stop().await;
    let key = home.data_dir().join("secret.key");
    std::fs::rename(&key, home.data_dir().join("elsewhere")).expect("moved");
    refused(&home, &["secret key", "missing", "hint:"]);
    std::fs::rename(home.data_dir().join("elsewhere"), &key).expect("moved back");
    home.up().stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_with_what_to_do() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let output = home.run(&["up", "--listen", &address]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains(&address) && said.contains("--listen"), "{said}");
}

#[test]
fn every_wrong_setting_is_named_at_once() {
    let home = Home::new().with("FLOTILLA_WORKER_SLOTS", "0").with("FLOTILLA_BROKER_URL", "amqp://mq").with("FLOTILLA_QUEUES", "Bad Name");
    refused(&home, &["3 settings", "FLOTILLA_WORKER_SLOTS", "FLOTILLA_BROKER_URL", "FLOTILLA_QUEUES"]);
}

#[tokio::test]
async fn a_key_that_was_left_behind_still_works_and_another_secret_does_not_open_it() {
    let home = Home::new();
    let up = home.up();
    let before = std::fs::read_to_string(home.data_dir().join("cli.json")).expect("left behind");
    up.stop().await;
    let up = home.up();
    let after = std::fs::read_to_string(home.data_dir().join("cli.json")).expect("left behind");
    let key = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["key"].clone();
    assert_eq!(key(&before), key(&after));
    assert_eq!(up.client.get("/v1/whoami", &[]).await.expect("answered").body["key"], "local");
    up.stop().await;
}
