//! The embedded broker keeps the broker's contract.

use std::sync::Arc;

use async_trait::async_trait;
use broker::contract::Fixture;
use broker::{Broker, EmbeddedBroker};

struct EmbeddedFixture;

#[async_trait]
impl Fixture for EmbeddedFixture {
    async fn broker(&self, class_ids_max: usize) -> Arc<dyn Broker> {
        Arc::new(EmbeddedBroker::with_capacity(class_ids_max))
    }
}

broker::contract_suite!(EmbeddedFixture);
broker::in_process_suite!(EmbeddedFixture);
