//! HTTP clients, one for each door (scheme and port): the resolver is asked about a name only, and what the name may
//! resolve to depends on the door.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Client, retry};

use crate::guard::{Door, GuardPolicy, GuardedResolver, Lookup};

/// Doors kept open at once. More are needed only where rules without a port allow many; then all are made anew.
const DOORS_MAX: usize = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A pooled connection goes to an address that was checked when it was made. Short, so that a receiver that moved is found.
const POOL_IDLE_FOR: Duration = Duration::from_secs(30);
const POOL_IDLE_MAX: usize = 16;
const RESPONSE_HEADERS_MAX: usize = 64;
const RESPONSE_HEADER_BYTES_MAX: u32 = 32 * 1024;
const USER_AGENT: &str = concat!("flotilla/", env!("CARGO_PKG_VERSION"));

/// Clients by door, made when first needed.
pub struct Clients {
    policy: Arc<GuardPolicy>,
    lookup: Arc<dyn Lookup>,
    by_door: Mutex<HashMap<Door, Client>>,
}

impl Clients {
    pub fn new(policy: Arc<GuardPolicy>, lookup: Arc<dyn Lookup>) -> Self {
        Self { policy, lookup, by_door: Mutex::default() }
    }

    pub fn of(&self, door: Door) -> Result<Client, reqwest::Error> {
        let mut by_door = self.by_door.lock();
        if let Some(client) = by_door.get(&door) {
            return Ok(client.clone());
        }
        let client = self.build(door)?;
        if by_door.len() >= DOORS_MAX {
            by_door.clear();
        }
        by_door.insert(door, client.clone());
        Ok(client)
    }

    fn build(&self, door: Door) -> Result<Client, reqwest::Error> {
        Client::builder()
            .dns_resolver(GuardedResolver::new(Arc::clone(&self.policy), Arc::clone(&self.lookup), door))
            .redirect(Policy::none()) // a redirect may lead where the guard would not
            .no_proxy() // a proxy from the environment would resolve names behind the guard's back
            .retry(retry::never()) // a retry is a recorded state (I8)
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_FOR)
            .pool_max_idle_per_host(POOL_IDLE_MAX)
            .http1_max_headers(RESPONSE_HEADERS_MAX)
            .http2_max_header_list_size(RESPONSE_HEADER_BYTES_MAX)
            .build()
    }
}
