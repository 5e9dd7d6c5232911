//! What the receiver saw, by webhook id, and waiting until it saw enough.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use axum::body::Bytes;
use axum::http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::watch;

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
    /// Gets one line for each accepted delivery.
    file: Option<Mutex<File>>,
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
        Self { entries: Mutex::default(), file: None, totals: watch::Sender::new(Totals::default()) }
    }
}

impl Ledger {
    pub(super) fn written_to(file: File) -> Self {
        Self { file: Some(Mutex::new(file)), ..Self::default() }
    }

    /// Records a request. Returns its webhook id and which attempt of that id it is, from 1.
    pub(super) fn attempt(&self, received: Received, signed: bool) -> (String, u32) {
        let id = received.header("webhook-id").to_owned();
        let body_hash = received.body_hash();
        let mut entries = self.entries.lock();
        let fresh = || Entry { attempts: 0, accepted: 0, bad_signatures: 0, bodies: BTreeSet::new(), last: received.clone() };
        let entry = entries.entry(id.clone()).or_insert_with(fresh);
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
        (id, attempt)
    }

    /// Records that a request of this id is about to be answered with success.
    pub(super) fn accept(&self, id: &str) {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(id) else { return };
        entry.accepted += 1;
        let doubled = usize::from(entry.accepted == 2);
        let line = serde_json::json!({ "id": id, "attempt": entry.attempts, "accepted": entry.accepted, "uri": entry.last.uri, "body": entry.last.body_hash() });
        drop(entries);
        if let Some(file) = &self.file {
            // One write: lines of a killed process are whole or missing.
            file.lock().write_all(format!("{line}\n").as_bytes()).expect("the ledger file can be written");
        }
        self.totals.send_modify(|totals| {
            totals.accepted += 1;
            totals.doubled += doubled;
        });
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
