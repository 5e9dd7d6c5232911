//! The broker refuses something: readiness, metrics, logs and doctor say what, with the command that permits it. Typed as it stands there,
//! it mends the fleet, which goes on by itself.

use std::time::Duration;

use testkit::eventually;
use testkit::servers::PrivateRabbit;
use tokio::time::Instant;
use url::Url;

use chaos::fleet::{SOON, Urls};
use chaos::process::Process;
use chaos::stage::Stage;
use chaos::{measured, own_broker};

const ROW: &str = "broker permissions";
const USER: &str = "fleet";
const JOBS: usize = 10;
/// From the moment at which it is permitted.
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);

/// What a role says is refused, once it does.
async fn refusal(process: &Process, words: &[&str]) -> String {
    eventually("readiness says what is refused", SOON, async || match process.trouble_with("broker").await {
        Some(trouble) if words.iter().all(|word| trouble.contains(word)) => Ok(trouble),
        other => Err(format!("{other:?} has not all of {words:?}\n{}", process.said())),
    })
    .await
}

async fn goes_on(what: &str, processes: &[&Process], since: Instant) {
    for process in processes {
        eventually("nothing is refused any more", GOES_ON_WITHIN, async || match process.trouble_with("broker").await {
            None => Ok(()),
            Some(trouble) => Err(format!("{trouble}\n{}", process.said())),
        })
        .await;
    }
    measured(ROW, what, since.elapsed());
}

/// Types the command that the sentence names.
async fn do_as_told(rabbit: &PrivateRabbit, said: &str) {
    let (_, command) = said.split_once("rabbitmqctl ").expect("it names a command");
    let (command, _) = command.split_once(" (").expect("the cause follows");
    let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
    assert_eq!(words.len(), 7, "{words:?}");
    rabbit.ctl(&words).await;
}

/// What the broker remembers of permissions goes with the connections.
async fn send_away(rabbit: &PrivateRabbit) {
    eventually("they are listed", SOON, async || !rabbit.server().default_vhost().connections().await.is_empty()).await;
    rabbit.ctl(&["close_all_user_connections", USER, "permissions have changed"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told_with_the_command_that_mends_it() {
    let servers = own_broker!();
    let rabbit = &servers.rabbit;
    rabbit.ctl(&["add_user", USER, "s3cret"]).await;
    let mut url = Url::parse(&rabbit.url()).expect("a URL");
    url.set_username(USER).and_then(|()| url.set_password(Some("s3cret"))).expect("it has a host");
    let urls = Urls { broker: url.to_string(), ..servers.urls() };

    // From the start: it may not even enter. Roles start all the same, and jobs are accepted.
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    stage.submit(JOBS, 0).await;
    let told = refusal(&stage.producer, &["RabbitMQ refuses", "may not enter virtual host `/`"]).await;
    for process in [&stage.scheduler, &worker] {
        refusal(process, &["may not enter", "rabbitmqctl set_permissions -p '/' 'fleet' "]).await;
        let shown = async || process.metric_of("flotilla_broker_state", "state=\"refused\"").await;
        eventually("metrics show it", SOON, async || shown().await >= 1.0).await;
        assert!(process.log_text().contains("\"ERROR\""), "it is loud: {}", process.said());
    }
    let (is_well, doctor) = stage.fleet.doctor(&[]);
    assert!(!is_well && doctor.contains("rabbitmqctl set_permissions -p '/' 'fleet' "), "{doctor}");
    let permitted_at = Instant::now();
    do_as_told(rabbit, &told).await;
    goes_on("permitted to enter: every role is well", &[&stage.producer, &stage.scheduler, &worker], permitted_at).await;
    stage.done_once(&servers.database, JOBS, SOON).await;

    // While it runs: each right on its own is taken away, and given back as readiness says.
    let ours = r"^flotilla\.v1\..*";
    for (what, rights, who) in [("to read", [ours, ".*", "^$"], "worker"), ("to write", [ours, "^$", ours], "scheduler")] {
        let [configure, write, read] = rights;
        rabbit.ctl(&["set_permissions", "-p", "/", USER, configure, write, read]).await;
        send_away(rabbit).await;
        stage.submit(JOBS, 0).await;
        let process = if who == "worker" { &worker } else { &stage.scheduler };
        let told = refusal(process, &["lacks", what, "rabbitmqctl set_permissions -p '/' 'fleet' "]).await;
        let (is_well, doctor) = stage.fleet.doctor(&[]);
        assert!(!is_well && doctor.contains("rabbitmqctl set_permissions -p '/' 'fleet' "), "{doctor}");
        let permitted_at = Instant::now();
        do_as_told(rabbit, &told).await;
        goes_on(&format!("permitted {what}: every role is well"), &[&stage.producer, &stage.scheduler, &worker], permitted_at).await;
    }
    // A password that is changed is noticed when they connect anew.
    rabbit.ctl(&["change_password", USER, "an0ther"]).await;
    send_away(rabbit).await;
    stage.submit(JOBS, 0).await;
    let told = refusal(&worker, &["the login of user `fleet` is refused", "rabbitmqctl change_password 'fleet' PASSWORD"]).await;
    assert!(!told.contains("s3cret"), "{told}");
    let mended_at = Instant::now();
    rabbit.ctl(&["change_password", USER, "s3cret"]).await;
    goes_on("password mended: every role is well", &[&stage.producer, &stage.scheduler, &worker], mended_at).await;
    stage.done_once(&servers.database, 4 * JOBS, SOON * 2).await;
    stage.stop([worker]).await;
}
