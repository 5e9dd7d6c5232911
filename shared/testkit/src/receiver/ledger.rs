//! What the receiver saw, by webhook id, and waiting until it saw enough.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

/// An effect as those know it who want to judge it.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    /// The key under which it may come again.
    pub key: String,
    pub job: String,
    pub name: String,
    /// What becomes of it when nobody knows whether it happened.
    pub policy: String,
}

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path and query.
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What is known of one webhook id.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Requests that carried it.
    pub attempts: u32,
    /// Those answered with success.
    pub accepted: u32,
    /// Those that were not rightly signed.
    pub bad_signatures: u32,
    /// Hashes of the bodies it came with: more than one is a broken promise.
    pub bodies: BTreeSet<u64>,
    pub last: Received,
}

/// Sums over all ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub ids: usize,
    pub attempts: u32,
    pub accepted: u32,
    pub bad_signatures: u32,
    /// Ids accepted more than once.
    pub doubled: usize,
    /// Ids that came with more than one body.
    pub changed: usize,
}

/// Everything received so far.
pub struct Ledger {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Gets a line for each accepted delivery, and one for its answer.
    file: Option<Mutex<File>>,
    /// Numbers of accepted deliveries.
    numbers: AtomicU64,
    totals: watch::Sender<Totals>,
}

impl Received {
    pub(super) const fn new(uri: String, headers: HeaderMap, body: Bytes) -> Self {
        Self { uri, headers, body }
    }

    /// The header's text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn body_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.body.hash(&mut hasher);
        hasher.finish()
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self { entries: Mutex::default(), file: None, numbers: AtomicU64::new(0), totals: watch::Sender::new(Totals::default()) }
    }
}

impl Ledger {
    pub(super) fn written_to(file: File) -> Self {
        Self { file: Some(Mutex::new(file)), ..Self::default() }
    }

    /// Records a request. Returns which attempt of that id it is, from 1.
    pub(super) fn attempt(&self, id: &str, received: Received, signed: bool) -> u32 {
        let body_hash = received.body_hash();
        let mut entries = self.entries.lock();
        let fresh = || Entry { attempts: 0, accepted: 0, bad_signatures: 0, bodies: BTreeSet::new(), last: received.clone() };
        let entry = entries.entry(id.to_owned()).or_insert_with(fresh);
        let is_new_body = entry.bodies.insert(body_hash);
        entry.attempts += 1;
        entry.bad_signatures += u32::from(!signed);
        entry.last = received;
        let attempt = entry.attempts;
        let changed = usize::from(is_new_body && entry.bodies.len() == 2);
        let ids = entries.len();
        drop(entries);
        self.totals.send_modify(|totals| {
            totals.ids = totals.ids.max(ids);
            totals.attempts += 1;
            totals.bad_signatures += u32::from(!signed);
            totals.changed += changed;
        });
        attempt
    }

    /// Records that this effect, of which there was an attempt, has happened, before it is answered. Returns its number, for
    /// [`Ledger::answered`].
    pub(super) fn accept(&self, effect: &Effect) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(&effect.key) else { return number };
        entry.accepted += 1;
        let doubled = usize::from(entry.accepted == 2);
        let mut line = json!({
            "n": number, "id": effect.key, "job": effect.job, "name": effect.name, "policy": effect.policy,
            "attempt": entry.attempts, "accepted": entry.accepted, "uri": entry.last.uri, "body": entry.last.body_hash()
        });
        drop(entries);
        line["at_ms"] = now_ms().into();
        self.write(&line);
        self.totals.send_modify(|totals| {
            totals.accepted += 1;
            totals.doubled += doubled;
        });
        number
    }

    /// Records that the answer to the effect of this number is on its way. Of who is gone by then there is no such line.
    pub(super) fn answered(&self, number: u64) {
        self.write(&json!({ "answered": number, "at_ms": now_ms() }));
    }

    fn write(&self, line: &Value) {
        if let Some(file) = &self.file {
            // One write: lines of a killed process are whole or missing.
            file.lock().write_all(format!("{line}\n").as_bytes()).expect("the ledger file can be written");
        }
    }

    pub fn entry(&self, id: &str) -> Option<Entry> {
        self.entries.lock().get(id).cloned()
    }

    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.entries.lock().clone()
    }

    /// The only entry, for tests that make one delivery.
    pub fn only(&self) -> Entry {
        let entries = self.entries();
        assert_eq!(entries.len(), 1, "one webhook id was expected: {:?}", entries.keys());
        entries.into_values().next().expect("one entry")
    }

    pub fn totals(&self) -> Totals {
        *self.totals.borrow()
    }

    /// Waits until the totals are such. Give it a deadline: it has none.
    pub async fn until(&self, reached: impl FnMut(&Totals) -> bool) -> Totals {
        let mut watched = self.totals.subscribe();
        *watched.wait_for(reached).await.expect("the ledger holds the sender")
    }
}

/// By the host's clock, which the servers of a test share.
fn now_ms() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
