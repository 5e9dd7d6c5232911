//! Which kinds and queues are there? The store's answer, remembered for a moment and asked for again when a name is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use domain::{KindInfo, KindName, QueueName};
use parking_lot::RwLock;
use store::{Intake, StoreError};

use crate::schema::Schema;

/// How long an answer is believed: a kind whose schema changed is judged by the old one this much longer.
const BELIEVED_FOR: Duration = Duration::from_secs(2);

/// A kind with its schema compiled when it is first needed, and again only when the kind changes.
pub struct KnownKind {
    pub info: KindInfo,
    schema: OnceLock<Result<Schema, String>>,
}

impl KnownKind {
    pub fn schema(&self) -> Result<&Schema, &str> {
        self.schema.get_or_init(|| Schema::compile(&self.info.schema)).as_ref().map_err(String::as_str)
    }
}

/// What was known at one moment.
pub struct Snapshot {
    read_at: Instant,
    pub kinds: BTreeMap<KindName, Arc<KnownKind>>,
    pub queues: BTreeSet<QueueName>,
}

impl Snapshot {
    pub fn kind(&self, name: &str) -> Option<&Arc<KnownKind>> {
        self.kinds.get(&name.parse().ok()?)
    }

    pub fn queue(&self, name: &str) -> Option<&QueueName> {
        self.queues.get(&name.parse().ok()?)
    }
}

/// The kinds and queues of the fleet.
#[derive(Clone)]
pub struct Catalog {
    intake: Arc<dyn Intake>,
    latest: Arc<RwLock<Option<Arc<Snapshot>>>>,
}

impl Catalog {
    pub fn new(intake: Arc<dyn Intake>) -> Self {
        Self { intake, latest: Arc::default() }
    }

    /// What the store says now.
    pub async fn read(&self) -> Result<Arc<Snapshot>, StoreError> {
        let read_at = Instant::now();
        let kinds = self.intake.kinds().await?;
        let queues = self.intake.queues().await?.into_iter().collect();
        let before = self.latest.read().clone();
        let known = |info: KindInfo| {
            let unchanged = before.as_ref().and_then(|before| before.kinds.get(&info.name)).filter(|known| known.info == info);
            unchanged.cloned().unwrap_or_else(|| Arc::new(KnownKind { info, schema: OnceLock::new() }))
        };
        let kinds = kinds.into_iter().map(|info| (info.name.clone(), known(info))).collect();
        let snapshot = Arc::new(Snapshot { read_at, kinds, queues });
        *self.latest.write() = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// A recent answer, or a new one if the recent one does not satisfy `covers`.
    pub async fn covering(&self, covers: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>, StoreError> {
        let latest = self.latest.read().clone();
        match latest.filter(|latest| latest.read_at.elapsed() < BELIEVED_FOR && covers(latest)) {
            Some(latest) => Ok(latest),
            None => self.read().await,
        }
    }
}
