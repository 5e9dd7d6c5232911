//! One connection to the broker, from the first byte to its certain end: what hangs is cut off at its socket, so that neither a
//! thread nor a descriptor of the client library outlives it.

use std::io::{self, Error, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind as LapinErrorKind, Event};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::address::Address;
use crate::error::{CALL_TIMEOUT, CONNECTING, CallError, Why, call, call_within};

/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// An open connection. Dropping it cuts it off.
pub(crate) struct Line {
    connection: Connection,
    events: Mutex<Option<BoxStream<'static, Event>>>,
    socket: Socket,
}

/// A second handle of the connection's socket, to shut it down whatever the library is doing with it.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    /// Dropped at the end of a scope that did not get so far as to [`Line`].
    fn cut(&self) {
        if let Some(socket) = self.0.lock().take() {
            // Nothing to do about a socket that is gone already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

struct CutUnlessOpen(Option<Socket>);

impl Drop for CutUnlessOpen {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            socket.cut();
        }
    }
}

impl Line {
    /// Connects and logs in, within the deadline of a call.
    pub async fn open(address: &Address, name: &str) -> Result<Self, CallError> {
        let socket = Socket::default();
        let mut unless_open = CutUnlessOpen(Some(socket.clone()));
        let runtime = lapin::runtime::default_runtime().map_err(|error| CallError { doing: CONNECTING, why: Why::Client(error) })?;
        let properties = ConnectionProperties::default()
            .with_connection_name(name.into())
            .with_client_property("product".into(), "flotilla".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let tls = address.is_tls().then(|| address.tls());
        let connecting = Connection::connector(
            address.uri.clone(),
            runtime,
            async move |uri, runtime| {
                let addresses = resolve(&uri.authority.host, uri.authority.port).await?;
                let mut refused = Error::from(ErrorKind::AddrNotAvailable);
                for address in addresses {
                    // A deadline of its own: the library connects on a thread that nobody else can stop.
                    let stream = match timeout(CALL_TIMEOUT, AsyncTcpStream::connect(&runtime, address)).await {
                        Ok(Ok(stream)) => stream,
                        Ok(Err(error)) => {
                            refused = error;
                            continue;
                        }
                        Err(_) => {
                            refused = ErrorKind::TimedOut.into();
                            continue;
                        }
                    };
                    if let AsyncTcpStream::Plain(plain) = &stream {
                        *socket.0.lock() = Some(TcpStream::from(plain.get_ref().as_fd().try_clone_to_owned()?));
                    }
                    let Some(tls) = &tls else { return Ok(stream) };
                    let secured = timeout(CALL_TIMEOUT, stream.into_tls(&uri.authority.host, tls.as_ref()));
                    return Ok(secured.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(unsecured)?);
                }
                Err(refused.into())
            },
            properties,
        );
        let connection = call(CONNECTING, connecting).await.map_err(|error| if address.is_tls() { error } else { foreign(error) })?;
        let socket = unless_open.0.take().unwrap_or_default();
        let events = Mutex::new(Some(connection.events_listener().boxed()));
        Ok(Self { connection, events, socket })
    }

    pub async fn channel(&self) -> Result<Channel, CallError> {
        call("opening a channel", self.connection.create_channel()).await
    }

    /// What happens to the connection, from the beginning. `None` for all but the first who asks: listeners would share the events.
    pub fn events(&self) -> Option<BoxStream<'static, Event>> {
        self.events.lock().take()
    }

    /// What the client library believes, should an event have got lost.
    pub fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// Says goodbye, but does not wait long for an answer.
    pub async fn close(&self) {
        // One that is lost or blocked cannot hear it; the end of its socket says the same.
        let _ = call_within(CLOSE_TIMEOUT, "closing the connection", self.connection.close(200, "bye".into())).await;
        self.socket.cut();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.socket.cut();
    }
}

/// Why TLS did not come about. Whatever is no matter of trust is most often a port that does not speak it.
fn unsecured(error: Error) -> Error {
    let text = error.to_string();
    if text.contains("certificate") { error } else { Error::new(error.kind(), format!("{text}; does this port speak TLS?")) }
}

/// Who answers something else, or hangs up at our first word, most often expects TLS.
fn foreign(error: CallError) -> CallError {
    let Why::Client(client) = &error.why else { return error };
    match client.kind() {
        LapinErrorKind::ParsingError(_) => CallError::ended(error.doing, "what answered does not speak AMQP; is it a TLS port?"),
        LapinErrorKind::IOError(cause) if matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => {
            CallError::ended(error.doing, "the peer hung up before it said anything in AMQP; is it a TLS port?")
        }
        _ => error,
    }
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = timeout(CALL_TIMEOUT, tokio::net::lookup_host((host, port))).await;
    Ok(found.map_err(|_| Error::from(ErrorKind::TimedOut))??.collect())
}
