//! What keeps a role from starting is said in a sentence with a hint, at once, and without a password.

use std::process::{Output, Stdio};

use crate::process::{Home, SOON, text};
use crate::servers::fresh_servers;

const ROLES: [&str; 3] = ["producer", "scheduler", "webhooks-worker"];
const SECRET: (&str, &str) = ("FLOTILLA_SECRET_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");

fn run(home: &Home, role: &str) -> Output {
    home.role_command(role).stdin(Stdio::null()).output().expect("the program starts")
}

/// Fails with code 1 and these words, and never with a password.
fn refused(home: &Home, role: &str, words: &[&str]) {
    let output = run(home, role);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{role}: {said}");
    for word in words {
        assert!(said.contains(word), "{role}: `{word}` is missing in: {said}");
    }
    assert!(!said.contains("panicked") && !said.contains("hunter2"), "{role}: {said}");
}

#[test]
fn a_role_without_servers_names_all_three_at_once() {
    let home = Home::new();
    for role in ROLES {
        refused(&home, role, &["3 settings", "FLOTILLA_DATABASE_URL", "FLOTILLA_BROKER_URL", "FLOTILLA_REDIS_URL", "flotilla up", "hint:"]);
    }
}

#[test]
fn addresses_that_cannot_be_used_are_refused_without_their_password() {
    let home = Home::new()
        .with("FLOTILLA_DATABASE_URL", "postgres://u:hunter2/x@db/jobs")
        .with("FLOTILLA_BROKER_URL", "http://u:hunter2@mq")
        .with("FLOTILLA_REDIS_URL", "redis://:hunter2@/x")
        .with("FLOTILLA_WORKER_SLOTS", "0");
    refused(&home, "webhooks-worker", &["4 settings", "FLOTILLA_DATABASE_URL", "FLOTILLA_BROKER_URL", "FLOTILLA_REDIS_URL", "hint:"]);
}

#[test]
fn postgres_needs_the_fleets_secret() {
    let home = Home::new()
        .with("FLOTILLA_DATABASE_URL", "postgres://u:hunter2@db/jobs")
        .with("FLOTILLA_BROKER_URL", "amqp://u:hunter2@mq")
        .with("FLOTILLA_REDIS_URL", "redis://:hunter2@redis");
    refused(&home, "producer", &["1 setting", "FLOTILLA_SECRET_KEY", "openssl rand -hex 32"]);
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let home = Home::new()
        .with("FLOTILLA_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/jobs")
        .with("FLOTILLA_BROKER_URL", "amqps://u:hunter2@127.0.0.1:1")
        .with("FLOTILLA_REDIS_URL", "rediss://:hunter2@127.0.0.1:1")
        .with("FLOTILLA_TLS_CA", "nowhere.pem")
        .with(SECRET.0, SECRET.1);
    refused(&home, "scheduler", &["nowhere.pem", "FLOTILLA_TLS_CA"]);
}

#[test]
fn a_misspelt_command_line_is_refused_with_code_2() {
    let output = Home::new().role_command("producer").arg("--nonsense").output().expect("starts");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    for role in ROLES {
        let help = Home::new().role_command(role).arg("--help").output().expect("starts");
        assert!(help.status.success() && text(&help.stdout).contains("FLOTILLA_DATABASE_URL"), "{role}: {}", text(&help.stdout));
    }
}

/// A database that cannot be reached is waited for; whoever is asked to stop meanwhile stops.
#[tokio::test]
async fn a_database_that_is_away_is_waited_for_until_asked_to_stop() {
    // Free a moment ago, so nobody answers there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = nobody.local_addr().expect("bound").port();
    drop(nobody);
    let home = Home::new()
        .with("FLOTILLA_DATABASE_URL", format!("postgres://u:hunter2@127.0.0.1:{port}/jobs"))
        .with("FLOTILLA_BROKER_URL", format!("amqp://u:hunter2@127.0.0.1:{port}"))
        .with("FLOTILLA_REDIS_URL", format!("redis://:hunter2@127.0.0.1:{port}"))
        .with(SECRET.0, SECRET.1);
    let log = home.path().join("producer.log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let mut command = home.role_command("producer");
    let mut child = testkit::ChildGuard::spawn(command.stderr(std::fs::File::create(&log).expect("writable")));
    testkit::eventually("it tries again", SOON, async || said().matches("trying again").count() >= 2).await;
    child.terminate();
    assert_eq!(child.end(SOON).await.code(), Some(0), "{}", said());
    assert!(said().contains(&format!("postgres://127.0.0.1:{port}/jobs")) && !said().contains("hunter2"), "{}", said());
}

#[tokio::test]
async fn a_wrong_password_ends_it_at_once() {
    let servers = fresh_servers!();
    let right = servers.database.url();
    let (login, rest) = right.split_once('@').expect("a login");
    let (user, _) = login.rsplit_once(':').expect("a password");
    let home = Home::new().on(&servers).with("FLOTILLA_DATABASE_URL", format!("{user}:hunter2@{rest}"));
    for role in ROLES {
        refused(&home, role, &["refused the login", "hint:"]);
    }
}

#[tokio::test]
async fn a_role_refuses_a_schema_that_it_does_not_know() {
    let servers = fresh_servers!();
    let home = Home::new().on(&servers);
    for role in ROLES {
        refused(&home, role, &["schema", "flotilla migrate"]);
    }
    assert!(home.run(&["migrate"]).status.success());
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'x', true, '', 0)";
    servers.database.ask(newer).await;
    for role in ROLES {
        refused(&home, role, &["9999", "knows up to"]);
    }
    let migrated = home.run(&["migrate"]);
    assert_eq!(migrated.status.code(), Some(1), "{}", text(&migrated.stderr));
    assert!(text(&migrated.stderr).contains("9999"), "{}", text(&migrated.stderr));
}
