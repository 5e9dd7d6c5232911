//! `coordination-redis` is the coordination port over Redis: the live feed on streams, nudges on a channel, the express lane
//! on lists.
//! It keeps nothing that a job depends on: Redis may be slow, flushed or away, and all that is lost is comfort.
//! It wants one Redis (6.2 or later), not a cluster of them.
//!
//! **Two connections per process** (a worker has a third), both by [`link`]: one for commands, one that only listens, so that a page of events
//! never stands in the way of a nudge. Each is watched by a task of its own: pinged, given up when it goes silent, opened
//! again with a jittered backoff. Calls never wait for that: while Redis is away they fail at once.
//!
//! **The feed** is one stream per job, written by one script (`scripts/append.lua`) that keeps its bounds and its expiry.
//! Followers do not block on the stream: `XREAD BLOCK` would need a connection of its own, and every change of the set of
//! jobs would have to interrupt it and name all of them again. Instead an append also publishes to the job's channel,
//! which costs nothing while nobody listens, and a process listens to the channels of the jobs it follows ([`ear`]):
//! any number of followers is one connection, and a wake-up costs the same however many there are. A message can get
//! lost, so followers look by themselves every two seconds, too.
//!
//! **Nudges** reach listeners of this process at once and those of others through one channel ([`outbox`], [`message`]).
//! Whoever may have missed some - the listening connection was gone, or a sender had to drop - is told to look at everything.
//!
//! **The express lane** is a list per class ([`express`]): short, and gone when nobody comes for it. A worker waits in `BRPOP`
//! over all its lists ([`stop`]), on a third connection, which nobody else has need of.
//!
//! **Limits and breakers** (queue-core) come here as `limiter.rs` and `breaker.rs`: each one script in `scripts/`, run by
//! [`script`] as the feed's is, with the time from Redis (`TIME` inside the script, never a process's clock), keys
//! `<prefix>:limit:{…}` and `<prefix>:breaker:{…}` with the braces around what one script touches together. What they
//! need besides, [`link`] has: one deadline per call, and [`link::CallError`], which tells "Redis is away" (go on with
//! the local share) from "Redis refused".

mod backoff;
mod ear;
mod entry;
mod express;
mod feed;
mod follower;
mod health;
mod link;
mod message;
mod names;
mod nudges;
mod open_error;
mod options;
mod outbox;
mod script;
mod server;
mod stop;
mod ticket;

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::ear::Ear;
use crate::express::Offers;
use crate::link::Link;
use crate::names::Names;
use crate::outbox::Outbox;
use crate::script::Script;
use crate::server::Server;

pub use health::RedisHealth;
pub use open_error::OpenError;
pub use options::RedisOptions;

/// Feed, nudges and express lane shared by all processes that name the same Redis. Dropping it ends its tasks and connections.
pub struct RedisCoordination {
    names: Arc<Names>,
    append: Script,
    commands: Arc<Link>,
    listening: Arc<Link>,
    ear: Arc<Ear>,
    outbox: Outbox,
    offers: Offers,
    server: Server,
    _ear_task: AbortOnDropHandle<()>,
}

impl RedisCoordination {
    /// Checks the options and starts connecting in the background; that Redis is away is no error.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(options: RedisOptions) -> Result<Self, OpenError> {
        let server = options.server()?;
        let names = Arc::new(Names::new(&options.prefix));
        // Nobody but us can say what came from us.
        let process = Uuid::new_v4();
        let ear = Arc::new(Ear::new(Arc::clone(&names), process));
        let commands = Arc::new(Link::start(server.clone(), "live feed and sent nudges", |_| {}));
        let hears = Arc::clone(&ear);
        let listening = Arc::new(Link::start(server.clone(), "nudges and followers", move |push| hears.hear(push)));
        let ear_task = tokio::spawn(Arc::clone(&ear).attend(Arc::clone(&listening)));
        let outbox = Outbox::start(Arc::clone(&commands), names.nudges().to_owned(), process);
        let offers = Offers::start(Arc::clone(&commands));
        let append = Script::new(include_str!("scripts/append.lua"));
        Ok(Self { names, append, commands, listening, ear, outbox, offers, server, _ear_task: AbortOnDropHandle::new(ear_task) })
    }

    /// Whether both connections stand, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.commands.is_up() && self.is_listening()
    }

    /// Whether nudges and events of other processes arrive by themselves, as far as is known.
    pub fn is_listening(&self) -> bool {
        self.listening.is_up()
    }

    /// Nudges that the other processes did not hear one by one; they were told to look at everything instead.
    pub fn nudges_dropped(&self) -> u64 {
        self.outbox.dropped()
    }
}
