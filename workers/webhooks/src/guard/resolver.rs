//! The resolver that the HTTP client connects by: it hands out checked addresses only.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::guard::{Door, GuardPolicy};

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the DNS. A seam for tests: an attacker's name server answers differently each time.
pub trait Lookup: Send + Sync + 'static {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error("the host's name could not be resolved")]
    Failed(#[source] io::Error),
    #[error("the host's name has no address")]
    Empty,
    #[error("the host's name could not be resolved in time")]
    TimedOut,
}

/// Resolves names for one door and refuses a name as a whole when any of its addresses may not be reached there: which
/// of them would be connected to is not ours to say.
pub struct GuardedResolver {
    policy: Arc<GuardPolicy>,
    lookup: Arc<dyn Lookup>,
    door: Door,
}

impl GuardedResolver {
    pub fn new(policy: Arc<GuardPolicy>, lookup: Arc<dyn Lookup>, door: Door) -> Self {
        Self { policy, lookup, door }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup, door) = (Arc::clone(&self.policy), Arc::clone(&self.lookup), self.door);
        Box::pin(async move {
            let answer = tokio::time::timeout(LOOKUP_TIMEOUT, lookup.lookup(name.as_str())).await;
            let found = answer.map_err(|_| LookupError::TimedOut)?.map_err(LookupError::Failed)?;
            if found.is_empty() {
                return Err(LookupError::Empty.into());
            }
            found.iter().try_for_each(|ip| policy.check_address(*ip, door))?;
            Ok(Box::new(found.into_iter().map(move |ip| SocketAddr::new(ip, door.port))) as Addrs)
        })
    }
}
