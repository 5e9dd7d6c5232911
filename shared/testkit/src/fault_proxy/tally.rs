//! What went through a proxy, and did its faults bite?

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::mode::Towards;

/// What a proxy has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Those that are open.
    pub open: u64,
    pub to_server_bytes: u64,
    pub to_client_bytes: u64,
    /// What faults did: connections closed or reset, pieces of data held back or swallowed, ends held back, requests and replies
    /// lost. A fault after which this is the same has changed nothing.
    pub bites: u64,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    accepted: AtomicU64,
    ended: AtomicU64,
    to_server_bytes: AtomicU64,
    to_client_bytes: AtomicU64,
    bites: AtomicU64,
}

impl Tally {
    /// A connection was accepted. Returns its number, from 0.
    pub fn opened(&self) -> u64 {
        self.accepted.fetch_add(1, SeqCst)
    }

    pub fn ended(&self) {
        self.ended.fetch_add(1, SeqCst);
    }

    pub fn carried(&self, towards: Towards, bytes: usize) {
        let counter = match towards {
            Towards::Client => &self.to_client_bytes,
            Towards::Server => &self.to_server_bytes,
        };
        counter.fetch_add(bytes as u64, SeqCst);
    }

    pub fn bite(&self) {
        self.bites.fetch_add(1, SeqCst);
    }

    pub fn counts(&self) -> Counts {
        // Before the accepted, so that no connection is counted as ended only.
        let ended = self.ended.load(SeqCst);
        let accepted = self.accepted.load(SeqCst);
        Counts {
            accepted,
            open: accepted - ended,
            to_server_bytes: self.to_server_bytes.load(SeqCst),
            to_client_bytes: self.to_client_bytes.load(SeqCst),
            bites: self.bites.load(SeqCst),
        }
    }
}
