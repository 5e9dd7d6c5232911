//! Does the proxy do to a connection what its mode says, and nothing else?

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::within;

const LONG: Duration = Duration::from_secs(60);
/// Long enough to see that something does not come.
const SHORT: Duration = Duration::from_millis(200);

/// A server that answers every line with `did <line>`, and remembers it.
struct Server {
    port: u16,
    done: Arc<parking_lot::Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let done = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let ledger = Arc::clone(&done);
        serving.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve_lines(client, Arc::clone(&ledger)));
            }
        });
        Self { port, done, _serving: serving }
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
        if to.write_all(format!("did {line}\n").as_bytes()).await.is_err() {
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

#[tokio::test]
async fn it_passes_and_delays() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.port).await;
    let mut client = connect(&proxy).await;
    assert_eq!(ask(&mut client, "a").await, "did a");
    proxy.set(Mode::Delay(SHORT));
    let began = std::time::Instant::now();
    assert_eq!(ask(&mut client, "b").await, "did b");
    assert!(began.elapsed() >= 2 * SHORT, "in each direction");
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
async fn a_server_that_is_not_there_closes() {
    let nobody = private_servers::free_port().expect("a port");
    let proxy = FaultProxy::start(nobody).await;
    assert_eq!(ask(&mut connect(&proxy).await, "a").await, "");
}
