//! The express lane inside one process, for tests of what uses it: the embedded engine has no need of one, its broker is as near.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use domain::bounds::EXPRESS_HINTS_MAX;
use domain::{Class, QueueName};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::express::by_priority;
use crate::{Express, ExpressHint, ExpressStop, InProcess};

#[derive(Default)]
pub(super) struct Platform {
    waiting: Mutex<BTreeMap<Class, VecDeque<ExpressHint>>>,
    arrived: Notify,
}

struct Stop {
    classes: Vec<Class>,
    platform: Arc<Platform>,
}

impl Express for InProcess {
    fn offer(&self, hint: ExpressHint) -> bool {
        let mut waiting = self.express.waiting.lock();
        let of_class = waiting.entry(hint.emission.class.clone()).or_default();
        of_class.push_back(hint);
        if of_class.len() > EXPRESS_HINTS_MAX {
            of_class.pop_front();
        }
        drop(waiting);
        self.express.arrived.notify_waiters();
        true
    }

    fn stop(&self, queues: &[QueueName]) -> Box<dyn ExpressStop> {
        Box::new(Stop { classes: by_priority(queues), platform: Arc::clone(&self.express) })
    }
}

#[async_trait]
impl ExpressStop for Stop {
    async fn take(&self) -> ExpressHint {
        loop {
            // Registered before looking, so that a hint arriving in between wakes us.
            let arrived = self.platform.arrived.notified();
            let first = {
                let mut waiting = self.platform.waiting.lock();
                self.classes.iter().find_map(|class| waiting.get_mut(class)?.pop_front())
            };
            match first {
                Some(hint) => return hint,
                None => arrived.await,
            }
        }
    }
}
