//! What does a person want to know about this Redis?

use std::time::Duration;

use coordination::CoordinationError;
use redis::InfoDict;
use tokio::time::Instant;

use crate::RedisCoordination;
use crate::server::{CONNECT_WITHIN, REPLY_WITHIN};

/// What Redis says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisHealth {
    pub version: String,
    /// One question and its answer.
    pub round_trip: Duration,
    pub memory_bytes: u64,
    /// `None`: it takes what the machine has.
    pub memory_bytes_max: Option<u64>,
    /// What it does when that is reached, such as `noeviction`. All we store expires, so any `volatile-*` will do.
    pub eviction: String,
}

/// Streams with ids of our own choosing and ranges that leave out their start came with this version.
const VERSION_MIN: (u32, u32) = (6, 2);

impl RedisHealth {
    /// Whether this version can do what is needed.
    pub fn is_supported(&self) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= VERSION_MIN
    }
}

impl RedisCoordination {
    /// Asks Redis how it is; the error says why it cannot be asked. It waits for a first attempt to connect to fail, because that knows why.
    pub async fn ping(&self) -> Result<RedisHealth, CoordinationError> {
        let asking = self.commands.call_within(CONNECT_WITHIN + REPLY_WITHIN, async |mut connection| {
            let since = Instant::now();
            redis::cmd("PING").query_async::<String>(&mut connection).await?;
            let round_trip = since.elapsed();
            Ok((round_trip, redis::cmd("INFO").query_async::<InfoDict>(&mut connection).await?))
        });
        let (round_trip, info) = asking.await.map_err(|error| error.during("asking Redis how it is"))?;
        Ok(RedisHealth {
            version: info.get("redis_version").unwrap_or_default(),
            round_trip,
            memory_bytes: info.get("used_memory").unwrap_or_default(),
            memory_bytes_max: info.get("maxmemory").filter(|bytes| *bytes > 0),
            eviction: info.get("maxmemory_policy").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_told() {
        let supported = |version: &str| {
            let health = RedisHealth {
                version: version.to_owned(),
                round_trip: Duration::ZERO,
                memory_bytes: 0,
                memory_bytes_max: None,
                eviction: String::new(),
            };
            health.is_supported()
        };
        assert_eq!(["7.0.15", "6.2.0", "10.0"].map(supported), [true; 3]);
        assert_eq!(["6.0.16", "5.2.1", "", "new"].map(supported), [false; 4]);
    }
}
