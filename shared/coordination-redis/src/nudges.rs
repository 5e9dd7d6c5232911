//! Nudges: to this process at once, to the others through Redis.

use coordination::{Nudge, NudgeListener, Nudges};

use crate::RedisCoordination;

impl Nudges for RedisCoordination {
    fn nudge(&self, nudge: Nudge) {
        self.ear.tell(Some(nudge));
        self.outbox.put(nudge);
    }

    fn listen(&self) -> NudgeListener {
        NudgeListener::new(self.ear.nudges())
    }
}
