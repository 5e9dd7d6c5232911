//! Empties the broker's dead letters into the store, so that they show. Healthy hints among them are sent again.

mod letters;
mod warning;

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, DeadContent, DeadLetter};
use coordination::{Nudge, Nudges};
use domain::{EmissionId, PoisonMessage, Unsent};
use parking_lot::Mutex;
use store::{Ledger, StoreError};
use telemetry::Metrics;

use self::letters::Letters;
use crate::duty::{Duty, DutyError, Next, Report};

/// What the broker refused to go on delivering.
pub struct Record {
    ledger: Arc<dyn Ledger>,
    nudges: Arc<dyn Nudges>,
    metrics: Arc<Metrics>,
    letters: Letters,
    /// Drawn, but not recorded: the store was away. Handing them back would only make the broker offer them again.
    held: Mutex<Vec<DeadLetter>>,
}

impl Record {
    pub fn new(broker: Arc<dyn Broker>, ledger: Arc<dyn Ledger>, nudges: Arc<dyn Nudges>, metrics: Arc<Metrics>) -> Self {
        Self { ledger, nudges, metrics, letters: Letters::new(broker), held: Mutex::default() }
    }

    /// Has the emissions of healthy hints sent again.
    async fn resend(&self, ids: Vec<EmissionId>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let count = ids.len();
        if self.ledger.unsent(&Unsent::Emissions(ids), count).await? > 0 {
            self.nudges.nudge(Nudge::Emissions);
        }
        tracing::warn!(duty = Self::NAME, count, "the broker gave up messages that are in order: those not claimed yet are sent again");
        Ok(())
    }

    /// Records all, or one by one when the store refuses one of them: that one must not keep the others.
    async fn keep(&self, mut messages: Vec<PoisonMessage>) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        match self.ledger.record_poison(&messages).await {
            Err(StoreError::Broken { .. }) => {
                for message in std::mem::take(&mut messages) {
                    messages.extend(self.keep_alone(message).await?);
                }
            }
            other => other?,
        }
        warning::of(Self::NAME, &messages);
        for message in &messages {
            self.metrics.poison_messages.with_label_values(&[warning::label(&message.reason)]).inc();
        }
        Ok(())
    }

    /// `None`: it is given up.
    async fn keep_alone(&self, message: PoisonMessage) -> Result<Option<PoisonMessage>, StoreError> {
        match self.ledger.record_poison(std::slice::from_ref(&message)).await {
            Ok(()) => Ok(Some(message)),
            Err(error @ StoreError::Broken { .. }) => {
                let error = telemetry::chain(&error);
                tracing::error!(
                    duty = Self::NAME,
                    error,
                    "a message that is no hint cannot be recorded: look for it in the broker's dead-letter queues"
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Duty for Record {
    const NAME: &'static str = "record";

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let mut letters = std::mem::take(&mut *self.held.lock());
        if letters.is_empty() {
            letters = self.letters.draw().await?;
        }
        let (mut hints, mut poison) = (Vec::new(), Vec::new());
        for letter in &letters {
            match letter.content() {
                DeadContent::Hint { emission } => hints.push(*emission),
                DeadContent::Poison(message) => poison.push(message.clone()),
            }
        }
        let did = vec![("poison", poison.len()), ("hints", hints.len())];
        let recorded = async {
            self.resend(hints).await?;
            self.keep(poison).await
        };
        if let Err(error) = recorded.await {
            // All of them once more: a message that is recorded twice is better than one that is not.
            *self.held.lock() = letters;
            return Err(error.into());
        }
        let next = if letters.is_empty() { Next::Idle } else { Next::Again };
        letters.into_iter().for_each(DeadLetter::recorded);
        Ok(Report { did, next })
    }
}
