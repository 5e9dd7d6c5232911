//! What happens on one connection: its version, its requests, its watch.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use domain::bounds::{HTTP_BUFFER_BYTES_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_STREAMS_MAX};
use http_body::{Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use telemetry::Metrics;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::ServerLimits;
use super::pulse::{Asked, Look, Pulse};
use super::wire::{Version, Wire};

/// With fewer free places than one part in this many, idle connections make room sooner.
const CROWDED_PARTS: usize = 8;
/// How long a connection that was told to end may take to say goodbye.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);
/// What is handed over of an answer at once. The rest is its caller's to ask for.
const PIECE_BYTES_MAX: usize = 32 * 1024;
/// HTTP/2 peers that do not answer a ping are gone.
const PINGS_EVERY: Duration = Duration::from_secs(20);
const PINGED_WITHIN: Duration = Duration::from_secs(10);

/// What all connections of a server share.
pub(super) struct House {
    router: Router,
    limits: ServerLimits,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// One for each connection that may be open.
    pub(super) places: Arc<Semaphore>,
    pub(super) metrics: Arc<Metrics>,
    /// Cancelled when requests in flight are the last ones.
    stop: CancellationToken,
    /// Cancelled when not even those are waited for.
    pub(super) cut: CancellationToken,
}

impl House {
    pub(super) fn new(router: Router, limits: ServerLimits, metrics: Arc<Metrics>, stop: CancellationToken) -> Self {
        let mut http1 = http1::Builder::new();
        // Its own deadline would also run between requests; the watch tells heads from idleness. Callers that send all they
        // have and close their half still get their answer.
        http1.header_read_timeout(None).half_close(true);
        http1.max_headers(HTTP_HEADERS_MAX).max_header_size(HTTP_HEAD_BYTES_MAX).max_buf_size(HTTP_BUFFER_BYTES_MAX);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new()).keep_alive_interval(PINGS_EVERY).keep_alive_timeout(PINGED_WITHIN);
        http2.max_concurrent_streams(HTTP_STREAMS_MAX).max_send_buf_size(HTTP_BUFFER_BYTES_MAX);
        http2.max_header_list_size(u32::try_from(HTTP_HEAD_BYTES_MAX).unwrap_or(u32::MAX));
        let places = Arc::new(Semaphore::new(limits.connections_max));
        Self { router, limits, http1, http2, places, metrics, stop, cut: CancellationToken::new() }
    }

    fn idle_for(&self) -> Duration {
        let is_crowded = self.places.available_permits() < self.limits.connections_max.div_ceil(CROWDED_PARTS);
        if is_crowded { self.limits.idle_for_when_crowded } else { self.limits.idle_for }
    }
}

/// Serves a connection to its end.
pub(super) async fn attend(stream: TcpStream, peer: SocketAddr, house: &House) {
    // Answers are small and whole: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays with delayed sending");
    }
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let mut wire = Wire::new(stream, Arc::clone(&pulse));
    let version = tokio::select! {
        version = timeout(house.limits.head_within, wire.version()) => version,
        () = house.stop.cancelled() => return,
    };
    let Ok(Ok(version)) = version else { return };
    let (router, asker) = (house.router.clone(), Arc::clone(&pulse));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let asked = asker.ask(version == Version::Two);
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut router = router.clone();
        async move {
            let answer = router.call(request).await?;
            asked.offered();
            Ok::<_, Infallible>(answer.map(|body| Answer { body, rest: Bytes::new(), asked }))
        }
    });
    let io = TokioIo::new(wire);
    match version {
        Version::One => watch(house.http1.serve_connection(io, service), &pulse, house).await,
        Version::Two => watch(house.http2.serve_connection(io, service), &pulse, house).await,
    }
}

/// Lets a connection do its work, within its limits.
async fn watch(connection: impl GracefulConnection, pulse: &Pulse, house: &House) {
    let mut connection = pin!(connection);
    let mut next_look = pin!(sleep_until(Instant::now() + house.limits.head_within));
    let mut leaving = false;
    loop {
        tokio::select! {
            // What went wrong with it concerns its caller only, who knows.
            _ = connection.as_mut() => return,
            () = house.cut.cancelled() => return,
            () = house.stop.cancelled(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = next_look.as_mut() => match pulse.look(Instant::now(), &house.limits, house.idle_for()) {
                Look::Later(at) => next_look.as_mut().reset(at),
                Look::Idle if !leaving => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                    next_look.as_mut().reset(Instant::now() + LEAVES_WITHIN);
                }
                Look::Idle | Look::Overdue => return,
            },
        }
    }
}

/// An answer on its way: its request is in work until the last of it is handed over.
struct Answer {
    body: Body,
    /// Of a piece that is too large to hand over at once: what is handed over is held until the caller takes it.
    rest: Bytes,
    asked: Asked,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.asked.awaited();
                return Poll::Pending;
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.asked.offered();
        let size = self.rest.len().min(PIECE_BYTES_MAX);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, rest) = (self.body.size_hint(), u64::try_from(self.rest.len()).unwrap_or(u64::MAX));
        let mut all = SizeHint::new();
        all.set_lower(left.lower() + rest);
        if let Some(upper) = left.upper() {
            all.set_upper(upper + rest);
        }
        all
    }
}
