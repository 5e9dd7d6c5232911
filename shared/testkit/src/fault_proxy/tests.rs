//! Does the proxy do to a connection what its mode says, and nothing else?

mod slow;

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::within;

const LONG: Duration = Duration::from_secs(60);
/// Long enough to see that something does not come.
const SHORT: Duration = Duration::from_millis(200);

/// A server that answers every line with `did <line>`, and remembers it. After `bye` it closes the connection.
struct Server {
    port: u16,
    done: Arc<parking_lot::Mutex<Vec<String>>>,
    open: Arc<AtomicU16>,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let done = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let open = Arc::new(AtomicU16::new(0));
        let (ledger, count) = (Arc::clone(&done), Arc::clone(&open));
        serving.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (ledger, count) = (Arc::clone(&ledger), Arc::clone(&count));
                clients.spawn(async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    serve_lines(client, ledger).await;
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, done, open, _serving: serving }
    }

    /// Connections that it thinks are open.
    fn open(&self) -> u16 {
        self.open.load(Ordering::SeqCst)
    }

    fn has_done(&self, line: &str) -> bool {
        self.done.lock().iter().any(|done| done == line)
    }
}

async fn serve_lines(client: TcpStream, done: Arc<parking_lot::Mutex<Vec<String>>>) {
    let (from, mut to) = client.into_split();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(from));
    while let Ok(Some(line)) = lines.next_line().await {
        done.lock().push(line.clone());
        if to.write_all(format!("did {line}\n").as_bytes()).await.is_err() || line == "bye" {
            return;
        }
    }
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.expect("connects")
}

/// The answer to a line; empty at the end of the connection.
async fn ask(client: &mut TcpStream, line: &str) -> String {
    if client.write_all(format!("{line}\n").as_bytes()).await.is_err() {
        return String::new();
    }
    answer(client).await
}

async fn answer(client: &mut TcpStream) -> String {
    let mut buffer = [0; 256];
    let count = within("an answer or the end", LONG, client.read(&mut buffer)).await.unwrap_or(0);
    String::from_utf8_lossy(&buffer[..count]).trim().to_owned()
}

async fn is_silent(client: &mut TcpStream) -> bool {
    tokio::time::timeout(SHORT, client.read(&mut [0; 1])).await.is_err()
}

/// What becomes of a connection on which nothing more is said: `Ok(0)` is its end, an error that it was reset.
async fn outcome(client: &mut TcpStream) -> std::io::Result<usize> {
    within("the end", LONG, client.read(&mut [0; 1])).await
}

fn is_reset(outcome: &std::io::Result<usize>) -> bool {
    outcome.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

#[tokio::test]
async fn it_passes_and_counts() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    let counts = Counts { accepted: 1, open: 1, to_server_bytes: 2, to_client_bytes: 6, bites: 0 };
    assert_eq!(proxy.counts(), counts);
    drop(client);
    eventually("its end is noticed", LONG, async || proxy.counts() == Counts { open: 0, ..counts }).await;
}

#[tokio::test]
async fn a_reset_is_no_polite_end() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    proxy.set(Mode::Reset);
    let ended = outcome(&mut client).await;
    assert!(is_reset(&ended), "{ended:?}");
    let ended = match TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await {
        Ok(mut client) => outcome(&mut client).await,
        // So soon that it was not even connected.
        Err(error) => Err(error),
    };
    assert!(is_reset(&ended), "new ones as well: {ended:?}");
    assert_eq!(proxy.counts().bites, 2);
    proxy.set(Mode::Pass);
    assert_eq!(ask(&mut connect(&proxy).await, "b").await, "did b");
}

/// However soon it is over: nobody misses it.
#[tokio::test]
async fn what_is_open_ends_with_a_fault_of_a_moment() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    for (number, (mode, resets)) in [(Mode::Cut, false), (Mode::Reset, true)].into_iter().enumerate() {
        let mut client = connect(&proxy).await;
        assert_eq!(ask(&mut client, "a").await, "did a");
        proxy.set(mode);
        proxy.set(Mode::Pass);
        let ended = outcome(&mut client).await;
        assert_eq!(is_reset(&ended), resets, "{ended:?}");
        assert_eq!(proxy.counts().bites, number as u64 + 1);
    }
    assert_eq!(ask(&mut connect(&proxy).await, "b").await, "did b");
}

#[tokio::test]
async fn new_connections_go_where_they_are_sent() {
    let (old, new) = (Server::start().await, Server::start().await);
    let proxy = FaultProxy::start(old.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    proxy.retarget(new.port);
    assert_eq!(ask(&mut connect(&proxy).await, "b").await, "did b");
    assert_eq!(ask(&mut client, "c").await, "did c");
    assert!(new.has_done("b") && !new.has_done("c") && old.has_done("c"));
}

#[tokio::test]
async fn an_end_is_passed_on_late() {
    const LATE: Duration = Duration::from_secs(1);
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    proxy.set(Mode::SlowClose(LATE));
    assert_eq!(ask(&mut client, "bye").await, "did bye");
    let began = Instant::now();
    client.write_all(b"lost\n").await.expect("taken, though nobody is there");
    assert_eq!(outcome(&mut client).await.expect("an end"), 0);
    assert!(began.elapsed() >= LATE.mul_f32(0.9), "{:?}", began.elapsed());
    assert!(!server.has_done("lost") && proxy.counts().bites > 0);

    // The other way round: the client has gone, and the server learns of it when the mode is over.
    proxy.set(Mode::SlowClose(LONG));
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    assert_eq!(server.open(), 1);
    drop(client);
    assert!(tokio::time::timeout(SHORT, async { eventually("it ends", LONG, async || server.open() == 0).await }).await.is_err());
    proxy.set(Mode::Pass);
    eventually("the server has noticed", LONG, async || server.open() == 0).await;
}

/// The server does not learn that its client has gone: it is behind the same broken network.
#[tokio::test]
async fn nobody_learns_of_an_end_behind_a_broken_network() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    proxy.set(Mode::HalfOpen);
    drop(client);
    assert!(tokio::time::timeout(SHORT, async { eventually("it ends", LONG, async || server.open() == 0).await }).await.is_err());
    proxy.set(Mode::Pass);
    eventually("it is told at last", LONG, async || server.open() == 0).await;
}

#[tokio::test]
async fn a_cut_closes_everything_until_it_is_mended() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    proxy.set(Mode::Cut);
    assert_eq!(answer(&mut client).await, "", "closed without having asked");
    let refused = async || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.is_err();
    eventually("the port is closed", LONG, refused).await;
    proxy.set(Mode::Pass);
    eventually("the port is open", LONG, async || !refused().await).await;
    assert_eq!(ask(&mut connect(&proxy).await, "b").await, "did b");
}

#[tokio::test]
async fn half_open_is_silence_that_does_not_mend() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut old = connect(&proxy).await;
    assert_eq!(ask(&mut old, "a").await, "did a");
    proxy.set(Mode::HalfOpen);
    let mut new = connect(&proxy).await;
    for client in [&mut old, &mut new] {
        client.write_all(b"lost\n").await.expect("taken");
        assert!(is_silent(client).await);
    }
    assert!(!server.has_done("lost"));
    eventually("a piece of each is taken", LONG, async || proxy.counts().bites == 2).await;
    proxy.set(Mode::Pass);
    for client in [&mut old, &mut new] {
        assert_eq!(answer(client).await, "", "closed");
    }
    assert_eq!(ask(&mut connect(&proxy).await, "b").await, "did b");
}

#[tokio::test]
async fn a_reply_is_lost_once_and_what_was_asked_is_done() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    proxy.lose_reply_to("commit 7");
    assert_eq!(ask(&mut client, "commit 6").await, "did commit 6");
    // In two pieces, as a network may deliver it.
    client.write_all(b"com").await.expect("taken");
    assert!(is_silent(&mut client).await);
    assert_eq!(ask(&mut client, "mit 7").await, "", "closed without an answer");
    proxy.lost(LONG).await;
    assert!(server.has_done("commit 7"));
    assert_eq!(ask(&mut connect(&proxy).await, "commit 7").await, "did commit 7", "the next one is not lost");
}

#[tokio::test]
async fn a_request_is_lost_before_it_is_done() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    proxy.lose_request("commit");
    assert_eq!(ask(&mut connect(&proxy).await, "commit").await, "");
    proxy.lost(LONG).await;
    assert!(!server.has_done("commit"));
    assert_eq!(ask(&mut connect(&proxy).await, "commit").await, "did commit");
}

#[tokio::test]
async fn a_reply_is_lost_on_the_connection_that_said_something() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let (mut one, mut two) = (connect(&proxy).await, connect(&proxy).await);
    assert_eq!(ask(&mut one, "commit of job 7").await, "did commit of job 7");
    proxy.lose_reply_after("job 7", "commit");
    assert_eq!(ask(&mut one, "commit").await, "did commit", "what it said before does not count");
    assert_eq!(ask(&mut one, "commit of job 7").await, "did commit of job 7", "said too late");
    assert_eq!(ask(&mut two, "commit").await, "did commit", "it has not said it");
    assert_eq!(ask(&mut one, "commit").await, "", "closed without an answer");
    proxy.lost(LONG).await;
    assert_eq!(server.done.lock().iter().filter(|line| *line == "commit").count(), 3);
}

#[tokio::test]
async fn what_is_held_back_never_arrives() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    proxy.hold_back_after("insert", "commit");
    assert_eq!(ask(&mut client, "insert").await, "did insert");
    client.write_all(b"commit\n").await.expect("taken");
    proxy.lost(LONG).await;
    client.write_all(b"rollback\n").await.expect("taken");
    assert!(is_silent(&mut client).await);
    assert_eq!(server.open(), 1);
    drop(client);
    eventually("the server learns of its end", LONG, async || server.open() == 0).await;
    assert!(!server.has_done("commit") && !server.has_done("rollback"));
}

#[tokio::test]
async fn a_server_that_is_not_there_closes() {
    let nobody = private_servers::free_port().expect("a port");
    let proxy = FaultProxy::start(nobody).await;
    assert_eq!(ask(&mut connect(&proxy).await, "a").await, "");
}
