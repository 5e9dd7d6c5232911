//! How is a job followed while it runs? By its events; where there are none to be had, by looking at it again and again.

mod heard;

use std::time::Duration;

use futures_util::stream::{Stream, try_unfold};
use reqwest::Response;
use tokio::time::{Instant, sleep_until, timeout};

use self::heard::{Heard, Told};
use crate::call::Call;
use crate::sse::{Parser, TooLarge};
use crate::{Client, Error, Id, Job, Progress};

/// The server says something every 15 s, if only a ping.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// One event: a brief job, or a piece of output.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Streams that end one after the other without an event: somebody in between does not let events through.
const FRUITLESS_MAX: u32 = 3;
/// Waits between streams that broke, and between looks.
const WAIT_FIRST: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);
/// When a stream that was refused for now is asked for again, unless the server says when; and the longest it can say.
const ASK_AGAIN: Duration = Duration::from_secs(5);
const ASK_AGAIN_MAX: Duration = Duration::from_secs(30);

/// What happened to a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The job, after its state changed; also the first event. After an end nothing follows.
    State(Box<Job>),
    /// How far its handler says it is.
    Progress(Progress),
    /// A piece of its handler's output.
    Output {
        /// Of which run.
        run: u32,
        /// The piece.
        text: String,
    },
    /// A line of its handler's log.
    Log {
        /// Of which run.
        run: u32,
        /// `INFO`, `WARN`, …
        level: String,
        /// The line.
        message: String,
    },
    /// Events between the last one and the next one are gone.
    Gap,
}

/// A job that is followed until it has ended. Broken streams are resumed where they broke.
///
/// ```no_run
/// # async fn example(client: flotilla_client::Client, id: flotilla_client::Id) -> Result<(), flotilla_client::Error> {
/// use flotilla_client::Event;
///
/// let mut watch = client.watch(id);
/// while let Some(event) = watch.next().await? {
///     match event {
///         Event::State(job) => println!("{}", job.state),
///         Event::Log { message, .. } => println!("  {message}"),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "it follows nothing by itself"]
pub struct Watch {
    client: Client,
    id: Id,
    source: Source,
    heard: Heard,
    /// The place of the event that was returned last, and its data.
    place: Option<String>,
    said: String,
    /// Streams in a row that brought nothing.
    fruitless: u32,
    /// Since when nobody can be reached.
    away_since: Option<Instant>,
}

enum Source {
    /// To be opened, not before that time.
    Closed {
        not_before: Instant,
    },
    Stream(Box<(Response, Parser)>),
    Looks(Looks),
}

/// The job itself is looked at.
struct Looks {
    not_before: Instant,
    every: Duration,
    /// When to ask for a stream again.
    stream_at: Option<Instant>,
    /// Whether there are events that nobody hears.
    misses: bool,
}

impl Client {
    /// Follows a job until it has ended.
    pub fn watch(&self, id: Id) -> Watch {
        Watch {
            client: self.clone(),
            id,
            source: Source::Closed { not_before: Instant::now() },
            heard: Heard::default(),
            place: None,
            said: String::new(),
            fruitless: 0,
            away_since: None,
        }
    }
}

impl Watch {
    /// Begins after an event that was seen earlier: its place, `<run>-<seq>`.
    pub fn after(mut self, place: impl Into<String>) -> Self {
        let place = place.into();
        self.place = Some(place.clone());
        self.heard.begin_after(place);
        self
    }

    /// The latest place, `<run>-<seq>`, up to the event that was returned last: another watch can go on after it.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// What the server said of the event that was returned last, word for word: JSON.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The next event; nothing after the job's end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `not_found`, `unauthorized`, …; and [`Error::Unreachable`] when nobody could be reached for as long as the client's
    /// patience lasts. Asking again goes on where it failed.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(Told { event, said, place }) = self.heard.next() {
                (self.said, self.place) = (said, place);
                return Ok(Some(event));
            }
            if self.heard.ended() {
                return Ok(None);
            }
            match &self.source {
                Source::Closed { not_before } => {
                    sleep_until(*not_before).await;
                    self.open().await?;
                }
                Source::Stream(_) => self.listen().await?,
                Source::Looks(Looks { stream_at: Some(at), not_before, .. }) if at <= not_before => {
                    sleep_until(*at).await;
                    self.open().await?;
                }
                Source::Looks(looks) => {
                    sleep_until(looks.not_before).await;
                    self.look().await?;
                }
            }
        }
    }

    /// All events as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event, Error>> {
        try_unfold(self, |mut watch| async move { Ok(watch.next().await?.map(|event| (event, watch))) })
    }

    async fn open(&mut self) -> Result<(), Error> {
        let call = Call::get(&["v1", "jobs", &self.id.to_string(), "events"]);
        let inner = self.client.inner();
        let opened = timeout(inner.try_timeout, inner.open_events(&call, self.heard.read())).await;
        match opened.unwrap_or_else(|_| Err(self.silent())) {
            Ok(response) => self.source = Source::Stream(Box::new((response, Parser::new(EVENT_BYTES_MAX)))),
            Err(error @ Error::Unreachable { .. }) => return self.broke(error),
            Err(error) => match hope(&error) {
                Some(hope) => self.begin_looking(hope),
                None => return Err(error),
            },
        }
        Ok(())
    }

    async fn listen(&mut self) -> Result<(), Error> {
        let Source::Stream(stream) = &mut self.source else { return Ok(()) };
        let (response, parser) = &mut **stream;
        let chunk = timeout(SILENCE_MAX, self.client.inner().chunk(response)).await;
        match chunk {
            Ok(Ok(Some(bytes))) => match parser.feed(&bytes) {
                Ok(events) => {
                    // It lives, also when all it says is a ping.
                    self.away_since = None;
                    self.fruitless = if events.is_empty() { self.fruitless } else { 0 };
                    events.into_iter().for_each(|event| self.heard.take(event));
                }
                Err(TooLarge) => self.begin_looking(Hope::None),
            },
            Ok(Ok(None)) => return self.broke(self.silent()),
            Ok(Err(error)) => return self.broke(error),
            Err(_) => return self.broke(self.silent()),
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Error> {
        let job = self.client.job(self.id).await?;
        let said = job.text().to_owned();
        if let Source::Looks(looks) = &mut self.source {
            // What it said meanwhile nobody has heard.
            if looks.misses && job.state.is_end() {
                self.heard.miss();
            }
            looks.every = (looks.every * 2).min(LOOK_EVERY_MAX);
            looks.not_before = Instant::now() + looks.every;
        }
        self.heard.show(job.into_body(), said);
        Ok(())
    }

    /// The stream is over before the job is: it is opened again, for as long as there is hope.
    fn broke(&mut self, error: Error) -> Result<(), Error> {
        self.fruitless += 1;
        let now = Instant::now();
        let since = *self.away_since.get_or_insert(now);
        let is_open = matches!(self.source, Source::Stream(_));
        if is_open && self.fruitless > FRUITLESS_MAX {
            self.begin_looking(Hope::None);
            return Ok(());
        }
        let wait = WAIT_FIRST.saturating_mul(1 << self.fruitless.min(10)).min(WAIT_MAX);
        self.source = Source::Closed { not_before: now + wait.mul_f64(0.5 + rand::random::<f64>() / 2.0) };
        if now.duration_since(since) >= self.client.inner().patience.total {
            // Asked again, it tries for as long again.
            self.away_since = None;
            return Err(error);
        }
        Ok(())
    }

    fn begin_looking(&mut self, hope: Hope) {
        let now = Instant::now();
        let (stream_at, misses) = match hope {
            Hope::NoEvents => (None, false),
            Hope::None => (None, true),
            Hope::Later(wait) => (Some(now + wait), true),
        };
        let (not_before, every) = match &self.source {
            Source::Looks(looks) => (looks.not_before, looks.every),
            Source::Closed { .. } | Source::Stream(_) => (now, WAIT_FIRST),
        };
        self.source = Source::Looks(Looks { not_before, every, stream_at, misses });
    }

    fn silent(&self) -> Error {
        Error::Unreachable { url: self.client.url().to_owned(), why: "the stream of events ended before the job did".to_owned() }
    }
}

/// Whether there will be a stream after one was refused.
enum Hope {
    /// The server knows no streams.
    NoEvents,
    /// Something in between lets none through.
    None,
    Later(Duration),
}

/// What a refusal means for a watch; nothing if it is one of the job, not of the stream.
fn hope(error: &Error) -> Option<Hope> {
    let later = |wait: Option<Duration>| Some(Hope::Later(wait.unwrap_or(ASK_AGAIN).min(ASK_AGAIN_MAX)));
    match error {
        // Whether it is the route or the job that is not there, the job will tell.
        Error::Problem(problem) if [404, 405].contains(&problem.status) => Some(Hope::NoEvents),
        // The server has no room for another stream now, or is on its way.
        error if error.is_temporary() => later(error.problem().and_then(|problem| problem.retry_after)),
        Error::Unexpected { .. } => Some(Hope::None),
        Error::Problem(_) | Error::Unreachable { .. } | Error::Unusable { .. } | Error::NotEnded { .. } => None,
    }
}
