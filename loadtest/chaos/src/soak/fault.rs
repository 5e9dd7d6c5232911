//! Which faults are there, whom can they hit, and how long do they last?

use std::fmt;

/// A group of processes that do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Producer,
    Scheduler,
    /// Delivers webhooks.
    Courier,
    /// Runs the kinds that exist to be broken.
    Tester,
}

/// One of the three that a fleet needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    Database,
    Broker,
    Redis,
}

/// What a fault is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Process(Role, usize),
    Server(Server),
    /// The way from a process to a server.
    Link(Role, usize, Server),
}

/// What can happen to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    WorkerKilled,
    WorkerStopped,
    WorkerDrained,
    ProducerKilled,
    ProducerDrained,
    SchedulerKilled,
    SchedulerStopped,
    SchedulerDrained,
    DatabaseKilled,
    DatabaseRestarted,
    DatabaseFrozen,
    SessionsTerminated,
    BrokerKilled,
    BrokerRestarted,
    BrokerWiped,
    BrokerAlarm,
    ConnectionsClosed,
    QueueDeleted,
    MessagesStolen,
    GarbagePublished,
    RedisStopped,
    RedisRestarted,
    RedisFlushed,
    LinkLate,
    LinkNarrow,
    LinkReset,
    LinkCut,
    LinkHalfOpen,
    LinkSlowClose,
    ReplyLost,
}
use Fault::{
    BrokerAlarm, BrokerKilled, BrokerRestarted, BrokerWiped, ConnectionsClosed, DatabaseFrozen, DatabaseKilled, DatabaseRestarted,
    GarbagePublished, LinkCut, LinkHalfOpen, LinkLate, LinkNarrow, LinkReset, LinkSlowClose, MessagesStolen, ProducerDrained,
    ProducerKilled, QueueDeleted, RedisFlushed, RedisRestarted, RedisStopped, ReplyLost, SchedulerDrained, SchedulerKilled,
    SchedulerStopped, SessionsTerminated, WorkerDrained, WorkerKilled, WorkerStopped,
};

/// What a fault may be done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prey {
    Processes(&'static [Role]),
    Server(Server),
    /// Any link.
    Links,
    /// Links to the database: only there a reply decides.
    DatabaseLinks,
}

const WORKERS: Prey = Prey::Processes(&[Role::Courier, Role::Tester]);
const PRODUCERS: Prey = Prey::Processes(&[Role::Producer]);
const SCHEDULERS: Prey = Prey::Processes(&[Role::Scheduler]);
const DATABASE: Prey = Prey::Server(Server::Database);
const BROKER: Prey = Prey::Server(Server::Broker);
const REDIS: Prey = Prey::Server(Server::Redis);

/// What is known of a fault before it happens: name, prey, how many seconds it is held at least and at most, and how many it takes the
/// thing to be itself again.
struct Traits(Fault, &'static str, Prey, (u64, u64), u64);

/// Longer than a lease: 20 s.
const PAST_THE_LEASE: (u64, u64) = (22, 27);

const TRAITS: [Traits; Fault::COUNT] = [
    Traits(WorkerKilled, "worker killed", WORKERS, (1, 6), 3),
    Traits(WorkerStopped, "worker stopped past its lease", WORKERS, PAST_THE_LEASE, 2),
    Traits(WorkerDrained, "worker drained", WORKERS, (0, 2), 6),
    Traits(ProducerKilled, "producer killed", PRODUCERS, (1, 6), 3),
    Traits(ProducerDrained, "producer drained", PRODUCERS, (0, 2), 4),
    Traits(SchedulerKilled, "scheduler killed", SCHEDULERS, (1, 6), 3),
    Traits(SchedulerStopped, "scheduler stopped", SCHEDULERS, (5, 25), 1),
    Traits(SchedulerDrained, "scheduler drained", SCHEDULERS, (0, 2), 4),
    Traits(DatabaseKilled, "database killed", DATABASE, (1, 4), 4),
    Traits(DatabaseRestarted, "database restarted", DATABASE, (0, 2), 4),
    Traits(DatabaseFrozen, "database frozen", DATABASE, (2, 8), 1),
    Traits(SessionsTerminated, "database sessions terminated", DATABASE, (0, 0), 2),
    Traits(BrokerKilled, "broker killed", BROKER, (0, 4), 12),
    Traits(BrokerRestarted, "broker restarted", BROKER, (0, 2), 14),
    Traits(BrokerWiped, "broker wiped", BROKER, (0, 0), 14),
    Traits(BrokerAlarm, "broker blocked by an alarm", BROKER, (4, 12), 6),
    Traits(ConnectionsClosed, "broker connections closed", BROKER, (0, 0), 3),
    Traits(QueueDeleted, "queue deleted", BROKER, (0, 0), 5),
    Traits(MessagesStolen, "messages stolen", BROKER, (3, 8), 1),
    Traits(GarbagePublished, "garbage published", BROKER, (0, 0), 2),
    Traits(RedisStopped, "Redis away", REDIS, (3, 10), 1),
    Traits(RedisRestarted, "Redis restarted", REDIS, (0, 1), 1),
    Traits(RedisFlushed, "Redis flushed", REDIS, (0, 0), 1),
    Traits(LinkLate, "link with latency and jitter", Prey::Links, (5, 12), 0),
    Traits(LinkNarrow, "link with little bandwidth", Prey::Links, (5, 12), 1),
    Traits(LinkReset, "link reset", Prey::Links, (0, 0), 2),
    Traits(LinkCut, "link cut", Prey::Links, (2, 10), 2),
    Traits(LinkHalfOpen, "link half-open", Prey::Links, (4, 20), 3),
    Traits(LinkSlowClose, "link closed slowly", Prey::Links, (3, 6), 2),
    Traits(ReplyLost, "reply lost", Prey::DatabaseLinks, (0, 0), 3),
];

impl Fault {
    pub const COUNT: usize = 30;

    pub fn all() -> impl Iterator<Item = Self> {
        TRAITS.iter().map(|traits| traits.0)
    }

    fn traits(self) -> &'static Traits {
        &TRAITS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.traits().1
    }

    pub fn prey(self) -> Prey {
        self.traits().2
    }

    /// The shortest and the longest time that it is held, in seconds.
    pub fn held_secs(self) -> (u64, u64) {
        self.traits().3
    }

    /// How long what it hits is not to be counted on after it has ended, in seconds.
    pub fn heals_secs(self) -> u64 {
        self.traits().4
    }
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Producer, Self::Scheduler, Self::Courier, Self::Tester];
    /// How many processes each role has. One of them may be broken at a time, so that there is always another.
    pub const COPIES: usize = 2;

    pub fn program(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Scheduler => "scheduler",
            Self::Courier => "webhooks-worker",
            Self::Tester => "chaos-worker",
        }
    }
}

impl Server {
    pub const ALL: [Self; 3] = [Self::Database, Self::Broker, Self::Redis];
}

impl Target {
    /// Whether both cannot be broken at the same time: it is the same thing, or a part of it, or the last copy of a role.
    pub fn excludes(self, other: Self) -> bool {
        let role = |target| match target {
            Self::Process(role, _) | Self::Link(role, _, _) => Some(role),
            Self::Server(_) => None,
        };
        let server = |target| match target {
            Self::Server(server) | Self::Link(_, _, server) => Some(server),
            Self::Process(..) => None,
        };
        let both_links = matches!((self, other), (Self::Link(..), Self::Link(..)));
        (role(self).is_some() && role(self) == role(other)) || (!both_links && server(self).is_some() && server(self) == server(other))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(role, copy) => write!(f, "{} {}", role.program(), copy + 1),
            Self::Server(server) => write!(f, "{server}"),
            Self::Link(role, copy, server) => write!(f, "{} {} to {server}", role.program(), copy + 1),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the database",
            Self::Broker => "the broker",
            Self::Redis => "Redis",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_faults() {
        assert!(Fault::all().enumerate().all(|(place, fault)| fault as usize == place));
        assert!(Fault::all().all(|fault| fault.held_secs().0 <= fault.held_secs().1));
    }

    #[test]
    fn there_is_always_another_copy() {
        let courier = Target::Process(Role::Courier, 0);
        assert!(courier.excludes(Target::Process(Role::Courier, 1)));
        assert!(courier.excludes(Target::Link(Role::Courier, 1, Server::Redis)));
        assert!(!courier.excludes(Target::Process(Role::Tester, 0)));
        assert!(!courier.excludes(Target::Server(Server::Broker)));
    }

    #[test]
    fn a_link_to_a_server_that_is_away_cannot_be_broken() {
        let link = Target::Link(Role::Tester, 0, Server::Broker);
        assert!(link.excludes(Target::Server(Server::Broker)));
        assert!(!link.excludes(Target::Server(Server::Database)));
        assert!(!link.excludes(Target::Link(Role::Producer, 0, Server::Broker)));
    }
}
