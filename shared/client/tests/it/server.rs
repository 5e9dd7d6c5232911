//! A real HTTP server that answers each request with the next line of a script, and remembers what it was asked.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use flotilla_client::{Builder, Client, Id};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const KEY: &str = "flt_secret";

/// What one request is answered with.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    End,
    /// The connection breaks before the body is over.
    Break,
}

/// What was asked.
#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub headers: HeaderMap,
    pub body: String,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    /// What looks at the job itself are answered with, however many.
    looks: Option<Reply>,
    asked: Vec<Asked>,
}

pub struct Server {
    pub url: String,
    script: Arc<Mutex<Script>>,
    handle: tokio::task::JoinHandle<()>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string(), then: Then::End }
    }

    pub fn problem(status: u16, code: &str) -> Self {
        let body = json!({ "type": "x", "title": "T", "status": status, "detail": "it is so", "code": code, "request_id": "r-1" });
        Self::json(status, &body).header("content-type", "application/problem+json")
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self::json(status, &Value::Null).header("content-type", "text/html").with_body(body)
    }

    pub fn events(body: &str) -> Self {
        Self::text(200, body).header("content-type", "text/event-stream")
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn with_body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Says this much and hangs up.
    pub fn breaking(mut self) -> Self {
        self.then = Then::Break;
        self
    }

    fn response(self) -> Response {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).expect("a status"));
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let said = stream::iter([io::Result::Ok(Bytes::from(self.body))]);
        if self.then == Then::End {
            return response.body(Body::from_stream(said)).expect("a response");
        }
        // While it waits for more, what was said is sent.
        let cut = stream::once(async {
            tokio::task::yield_now().await;
            Err(io::Error::other("cut"))
        });
        response.body(Body::from_stream(said.chain(cut))).expect("a response")
    }
}

impl Server {
    pub async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let script = Arc::new(Mutex::new(Script { replies: replies.into_iter().collect(), ..Script::default() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let handle = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { url, script, handle }
    }

    /// Every look at the job itself is answered so; the script is for all else.
    pub fn looks(self, reply: Reply) -> Self {
        self.script.lock().looks = Some(reply);
        self
    }

    /// A client that is impatient enough for a test.
    pub fn builder(&self) -> Builder {
        let builder = Client::builder(&self.url).key(KEY).patience(Duration::from_secs(20));
        builder.waits(Duration::from_millis(1), Duration::from_millis(5))
    }

    pub fn client(&self) -> Client {
        self.builder().build().expect("a client")
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().asked.clone()
    }

    /// Method and path of each request.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let asked = Asked {
        line: format!("{} {}", head.method, head.uri),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    };
    let mut script = script.lock();
    let look = script.looks.clone().filter(|_| asked.line == format!("GET /v1/jobs/{}", id()));
    script.asked.push(asked);
    let next = look.or_else(|| script.replies.pop_front());
    let reply = next.unwrap_or_else(|| Reply::problem(500, "the_script_is_over"));
    reply.response()
}

pub fn id() -> Id {
    "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f".parse().expect("an id")
}

/// A job as the API shows it, with a member that nobody knows.
pub fn job(state: &str) -> Value {
    json!({
        "id": id(), "tenant": "default", "kind": "k", "queue": "q", "priority": "normal", "state": state, "waiting_for": null, "run": 1,
        "attempt": 1, "max_attempts": 3, "crashes": 0, "cancel_requested": false, "created_at": "2026-11-20T10:00:00.000Z",
        "run_at": "2026-11-20T10:00:00.000Z", "tags": [], "timeout": "1m", "trace_id": "t", "of_tomorrow": { "n": 1 },
    })
}
