//! Is a slow link as slow as it is told, and does it still carry everything, in order?

use super::*;

#[tokio::test]
async fn each_piece_is_late_in_each_direction() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    proxy.set(Mode::Delay(SHORT));
    let began = Instant::now();
    assert_eq!(ask(&mut client, "b").await, "did b");
    assert!(began.elapsed() >= 2 * SHORT, "in each direction: {:?}", began.elapsed());
    assert_eq!(proxy.counts().bites, 2);
}

#[tokio::test]
async fn a_direction_alone_can_be_late() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    proxy.set(Mode::Slow(Slow::by(LONG).towards(Towards::Client)));
    client.write_all(b"a\n").await.expect("taken");
    eventually("the server has it at once", LONG / 2, async || server.has_done("a")).await;
    assert!(is_silent(&mut client).await);
}

/// A second's latency is no second for each piece: they are on their way together.
#[tokio::test]
async fn what_is_on_its_way_does_not_hold_up_what_follows() {
    const LINES: usize = 30;
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    proxy.set(Mode::Slow(Slow::by(SHORT).jitter(SHORT).seed(1).towards(Towards::Server)));
    let began = Instant::now();
    let mut expected = Vec::new();
    for line in 0..LINES {
        client.write_all(format!("{line}\n").as_bytes()).await.expect("taken");
        eventually("it is on its way", LONG, async || proxy.counts().bites > line as u64).await;
        expected.push(line.to_string());
    }
    eventually("all have arrived", LONG, async || server.done.lock().len() == LINES).await;
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
    assert!(began.elapsed() < SHORT * 20, "{:?}", began.elapsed());
    assert_eq!(*server.done.lock(), expected, "in order, whatever the dice say");
}

#[tokio::test]
async fn all_connections_share_a_narrow_line() {
    const BYTES: usize = 10_000;
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    proxy.set(Mode::Slow(Slow::by(Duration::ZERO).rate(20_000).towards(Towards::Server)));
    let line = "x".repeat(BYTES - 1);
    let began = Instant::now();
    let (mut one, mut two) = (connect(&proxy).await, connect(&proxy).await);
    for client in [&mut one, &mut two] {
        client.write_all(format!("{line}\n").as_bytes()).await.expect("taken");
    }
    eventually("both have arrived", LONG, async || server.done.lock().len() == 2).await;
    // 20 kB at 20 kB/s; for one alone it would be half of it.
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(server.done.lock()[0], line);
}

#[tokio::test]
async fn an_end_waits_for_what_was_said_before_it() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    proxy.set(Mode::Delay(SHORT));
    assert_eq!(ask(&mut client, "bye").await, "did bye");
    assert_eq!(outcome(&mut client).await.expect("an end"), 0);
}
