//! The in-process adapter keeps the contract of coordination.

use std::sync::Arc;

use coordination::contract::Fixture;
use coordination::contract::express::ExpressFixture;
use coordination::{Express, Feed, InProcess, Nudges};

#[derive(Default)]
struct InProcessFixture(Arc<InProcess>);

impl Fixture for InProcessFixture {
    fn feed(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.0) as Arc<dyn Feed>
    }

    fn nudges(&self) -> Arc<dyn Nudges> {
        Arc::clone(&self.0) as Arc<dyn Nudges>
    }
}

coordination::contract_suite!(InProcessFixture::default());

impl ExpressFixture for InProcessFixture {
    async fn express(&self) -> Arc<dyn Express> {
        Arc::clone(&self.0) as _
    }
}

coordination::express_suite!(InProcessFixture::default());
