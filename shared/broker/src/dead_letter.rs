//! What the broker refused to go on delivering, drained by a duty so that it shows.

use async_trait::async_trait;
use domain::{EmissionId, PoisonMessage};

use crate::BrokerError;

/// One dead-lettered message. [`DeadLetter::recorded`] takes it away; dropping it offers it again.
#[must_use = "record it; dropping offers it again"]
pub struct DeadLetter {
    content: DeadContent,
    recorded: Box<dyn FnOnce() + Send>,
}

/// What a dead-lettered message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadContent {
    /// A hint that decodes: it is healthy, and its emission is to be sent again.
    Hint {
        emission: EmissionId,
    },
    Poison(PoisonMessage),
}

impl DeadLetter {
    /// `recorded` acknowledges the message; it must not block.
    pub fn new(content: DeadContent, recorded: Box<dyn FnOnce() + Send>) -> Self {
        Self { content, recorded }
    }

    pub fn content(&self) -> &DeadContent {
        &self.content
    }

    /// It is safe elsewhere: the broker may forget it.
    pub fn recorded(self) {
        (self.recorded)();
    }
}

impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").field("content", &self.content).finish_non_exhaustive()
    }
}

/// The stream of dead letters.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Waits for the next one. Dropping the future loses nothing.
    async fn next(&self) -> Result<DeadLetter, BrokerError>;
}
