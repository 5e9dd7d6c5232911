//! Draws dead letters, a few at a time, whatever becomes of the broker meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::{Broker, BrokerError, DeadLetter, DeadLetters};
use parking_lot::Mutex;

/// Letters drawn at once: as few as the broker reads ahead.
const LETTERS_MAX: usize = domain::bounds::RABBIT_DEAD_LETTERS_MAX as usize;
/// How long the next ones may take to come after some came.
const MORE_WITHIN: Duration = Duration::from_millis(100);
/// How long the stream may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Letters {
    broker: Arc<dyn Broker>,
    stream: Mutex<Option<Arc<dyn DeadLetters>>>,
    /// The last look found some.
    flows: AtomicBool,
}

impl Letters {
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker, stream: Mutex::default(), flows: AtomicBool::new(false) }
    }

    /// Those that are here. Fails when there are none and the stream has ended; the next call opens it anew.
    pub async fn draw(&self) -> Result<Vec<DeadLetter>, BrokerError> {
        let stream = self.open().await?;
        let mut drawn = Vec::new();
        let mut patience = if self.flows.load(Ordering::Relaxed) { MORE_WITHIN } else { Duration::ZERO };
        while drawn.len() < LETTERS_MAX {
            match tokio::time::timeout(patience, stream.next()).await {
                Ok(Ok(letter)) => drawn.push(letter),
                Ok(Err(error)) => {
                    *self.stream.lock() = None;
                    if drawn.is_empty() {
                        return Err(error);
                    }
                    break;
                }
                Err(_) => break,
            }
            patience = Duration::ZERO;
        }
        self.flows.store(!drawn.is_empty(), Ordering::Relaxed);
        Ok(drawn)
    }

    async fn open(&self) -> Result<Arc<dyn DeadLetters>, BrokerError> {
        let known = self.stream.lock().clone();
        if let Some(stream) = known {
            return Ok(stream);
        }
        let late = |source| BrokerError::Unavailable { doing: "opening the dead letters", source: Box::new(source) };
        let opened = tokio::time::timeout(OPEN_TIMEOUT, self.broker.dead_letters()).await.map_err(late)??;
        let stream: Arc<dyn DeadLetters> = Arc::from(opened);
        *self.stream.lock() = Some(Arc::clone(&stream));
        Ok(stream)
    }
}
