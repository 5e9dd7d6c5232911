//! How is the engine? What it depends on, and what is wrong with it.

use std::sync::Arc;
use std::time::Duration;

use broker_rabbitmq::RabbitBroker;
use coordination_redis::RedisCoordination;
use store::Store;
use telemetry::chain;
use tokio::time::timeout;

use crate::api_publisher::trouble;

/// Less than the period of those who ask.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What tells how the engine is.
#[derive(Clone)]
pub struct Vitals {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rabbit: Option<Arc<RabbitBroker>>,
    pub(crate) redis: Option<Arc<RedisCoordination>>,
}

/// Something this process depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub name: &'static str,
    /// Without it, this process is of no use.
    pub required: bool,
    /// What is wrong with it; `None`: nothing.
    pub trouble: Option<String>,
}

impl Vitals {
    /// Looks at everything now.
    pub async fn look(&self) -> Vec<Dependency> {
        let store = match timeout(ANSWERS_WITHIN, self.store.ping()).await {
            Ok(answer) => answer.err().map(|error| chain(&error)),
            Err(_) => Some("no answer in time".to_owned()),
        };
        let rabbit = self.rabbit.as_ref().and_then(|rabbit| trouble(rabbit.health())).map(|error| chain(&error));
        let redis = self.redis.as_ref().filter(|redis| !redis.is_connected()).map(|_| "Redis is not connected".to_owned());
        vec![
            Dependency { name: "store", required: true, trouble: store },
            Dependency { name: "broker", required: false, trouble: rabbit },
            Dependency { name: "coordination", required: false, trouble: redis },
        ]
    }
}
