//! The broker's contract, each case in a virtual host of its own.

use std::sync::Arc;

use async_trait::async_trait;
use broker::Broker;
use broker::contract::Fixture;
use testkit::servers;

use crate::bench::Bench;

struct RabbitFixture;

#[async_trait]
impl Fixture for RabbitFixture {
    async fn broker(&self, _class_ids_max: usize) -> Arc<dyn Broker> {
        Arc::new(Bench::new().await.expect("the server is there: the test was not skipped"))
    }
}

broker::contract_suite!(RabbitFixture, {
    if servers::rabbitmq().is_none() {
        testkit::skip!("rabbitmq", servers::HOW);
    }
});
broker::ledger_suite!(RabbitFixture, {
    if servers::rabbitmq().is_none() {
        testkit::skip!("rabbitmq", servers::HOW);
    }
});
