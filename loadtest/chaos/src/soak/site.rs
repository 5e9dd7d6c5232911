//! Where does it happen? On servers of the run's own, with two processes of every role, each with links of its own to be broken, and a
//! judge outside.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use testkit::servers::{Database, PrivatePostgres, PrivateRabbit, PrivateRedis, Vhost};
use tokio::sync::{Mutex, RwLock};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::crew::{Ports, Post};
use super::fault::{Role, Server, Target};
use super::load::Load;
use crate::client::client;
use crate::fleet::{Fleet, Urls, default_secret};
use crate::judge::Judge;

/// A database that is frozen says nothing.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks for something each second, until it is too late.
pub struct Looks {
    ticks: Interval,
    until: Instant,
}

impl Looks {
    pub fn within(time: Duration) -> Self {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, until: Instant::now() + time }
    }

    /// Waits for the next look; `false` when it is too late for another.
    pub async fn again(&mut self) -> bool {
        self.ticks.tick().await;
        Instant::now() < self.until
    }
}

/// Everything that can be broken. A server's lock is held for writing by who breaks it, and for reading by who breaks a link to it.
pub struct Site {
    pub postgres: PrivatePostgres,
    pub rabbit: PrivateRabbit,
    pub redis: PrivateRedis,
    servers: [RwLock<()>; 3],
    roles: [Mutex<()>; Role::ALL.len()],
    pub database: Database,
    pub vhost: Vhost,
    pub fleet: Fleet,
    posts: Vec<Post>,
    pub load: Arc<Load>,
    /// How many jobs ran when that was last known.
    ran: AtomicU64,
    judge: Judge,
}

impl Site {
    /// Starts everything, and returns when every role is of use.
    ///
    /// # Errors
    /// Names what is not installed.
    pub async fn found(seed: u64) -> Result<Arc<Self>, &'static str> {
        let (postgres, rabbit, redis) = tokio::join!(PrivatePostgres::start(), PrivateRabbit::start(), PrivateRedis::start());
        let (postgres, rabbit) = (postgres.ok_or("PostgreSQL is not installed")?, rabbit.ok_or("RabbitMQ is not installed")?);
        let redis = redis.ok_or("Redis is not installed")?;
        let (database, vhost) = (postgres.server().fresh_database().await, rabbit.server().default_vhost());
        let urls = Urls { database: database.url(), broker: rabbit.url(), redis: redis.url() };
        let ports = Ports { database: postgres.port(), broker: rabbit.port(), redis: redis.port() };
        let fleet = Fleet::found(&urls);
        let mut posts = Vec::new();
        for role in Role::ALL {
            for copy in 0..Role::COPIES {
                let post = Post::new(role, copy, &urls, ports).await;
                post.start(&fleet, &mut *post.seize().await).await;
                posts.push(post);
            }
        }
        let first = posts[0].seize().await.as_ref().map(crate::process::Process::url).unwrap_or_default();
        let judge = Judge::start(fleet.path(), &default_secret(&client(&first, fleet.key())).await);
        let load = Load::new(seed, judge.url(""), Role::COPIES);
        let servers = [RwLock::new(()), RwLock::new(()), RwLock::new(())];
        let roles = Role::ALL.map(|_| Mutex::new(()));
        let site = Self { postgres, rabbit, redis, servers, roles, database, vhost, fleet, posts, load, ran: AtomicU64::new(0), judge };
        for post in &site.posts {
            post.seize().await.as_ref().expect("it was started").ready().await;
            site.introduce(post).await;
        }
        Ok(Arc::new(site))
    }

    pub fn posts(&self) -> &[Post] {
        &self.posts
    }

    pub fn post(&self, role: Role, copy: usize) -> &Post {
        self.posts.iter().find(|post| post.role == role && post.copy == copy).expect("every role has its copies")
    }

    /// To be locked before any of its processes, or a link of theirs, is broken: one copy is always well.
    pub fn role(&self, role: Role) -> &Mutex<()> {
        &self.roles[role as usize]
    }

    /// To be locked before it, or a link to it, is broken.
    pub fn server(&self, server: Server) -> &RwLock<()> {
        &self.servers[server as usize]
    }

    /// Tells the clients where this producer is now.
    pub async fn introduce(&self, post: &Post) {
        if post.role == Role::Producer
            && let Some(process) = post.seize().await.as_ref()
        {
            self.load.replace(post.copy, client(&process.url(), self.fleet.key()));
        }
    }

    /// Starts again what ends by itself, for ever.
    pub async fn supervise(self: Arc<Self>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            for post in &self.posts {
                if post.look_after(&self.fleet).await {
                    self.introduce(post).await;
                }
            }
        }
    }

    /// How often anybody has said this so far.
    pub fn said(&self, words: &str) -> usize {
        self.posts.iter().map(|post| post.said(words)).sum()
    }

    /// The number that the database answers; `None` while it is away.
    pub async fn number(&self, question: &str) -> Option<u64> {
        let rows = self.database.try_ask(question).await.ok()?;
        rows.first()?.first()?.parse().ok()
    }

    /// The sum of a metric of one process, when it answers.
    pub async fn metric(&self, post: &Post, name: &str) -> Option<f64> {
        let process = post.seize().await;
        let (status, text) = process.as_ref()?.get("/metrics").await?;
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        (status == 200).then(|| text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Asks until the number is more than this, and returns it.
    pub async fn more_than(&self, least: u64, question: &str, within: Duration) -> Option<u64> {
        let mut looks = Looks::within(within);
        while looks.again().await {
            if let Some(number) = self.number(question).await.filter(|number| *number > least) {
                return Some(number);
            }
        }
        None
    }

    /// How many jobs run; as many as last time, while the database does not say.
    pub async fn running(&self) -> u64 {
        let asked = timeout(ANSWERS_WITHIN, self.number("select count(*) from job where state = 2")).await;
        if let Ok(Some(running)) = asked {
            self.ran.store(running, Ordering::SeqCst);
        }
        self.ran.load(Ordering::SeqCst)
    }

    /// The jobs' states and their numbers, for people.
    pub async fn states(&self) -> Option<Vec<(u64, u64)>> {
        let rows = self.database.try_ask("select state, count(*) from job group by state order by state").await.ok()?;
        let number = |text: &String| text.parse().ok();
        Some(rows.iter().filter_map(|row| Some((number(row.first()?)?, number(row.get(1)?)?))).collect())
    }

    /// Everything as it was: every server runs, every link carries, every post is filled. Returns what was still broken.
    pub async fn heal(&self) -> Vec<String> {
        let mut found = Vec::new();
        for post in &self.posts {
            post.mend_links();
            let mut process = post.seize().await;
            if process.as_mut().is_none_or(|running| running.guard.ended().is_some()) {
                found.push(format!("{} {} was away", post.role.program(), post.copy + 1));
                post.start(&self.fleet, &mut process).await;
            }
            drop(process);
            self.introduce(post).await;
        }
        found
    }

    /// Ends every process at once, also those that somebody breaks at the moment: we are about to end as well, and the servers end
    /// with us.
    pub fn abandon(&self) {
        let pids = self.posts.iter().map(Post::pid).chain([self.judge.pid()]).filter(|pid| *pid > 0).map(|pid| pid.to_string());
        let mut kill = Command::new("sh");
        // One that has ended already is no reason to spare the others.
        kill.args(["-c", r#"for pid; do kill -s KILL "$pid"; done"#, "abandon"]).args(pids).stderr(Stdio::null());
        let _told = kill.status();
        // Whoever still holds on to us never lets go of it.
        let _removed = std::fs::remove_dir_all(self.fleet.path());
    }

    /// After a fault that could not be healed as it was meant to.
    pub async fn repair(&self, target: Target) {
        match target {
            Target::Server(server) => {
                let _server = self.server(server).write().await;
                match server {
                    Server::Database => self.postgres.restart().await,
                    Server::Broker => self.rabbit.restart().await,
                    Server::Redis => self.redis.restart().await,
                }
            }
            Target::Process(role, copy) | Target::Link(role, copy, _) => {
                let post = self.post(role, copy);
                post.mend_links();
                let mut process = post.seize().await;
                // Also one that was left stopped.
                if let Some(running) = process.as_mut() {
                    running.guard.kill();
                }
                post.start(&self.fleet, &mut process).await;
                drop(process);
                self.introduce(post).await;
            }
        }
    }

    /// What the judge has written down.
    pub fn ledger(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.fleet.path().join("ledger.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
