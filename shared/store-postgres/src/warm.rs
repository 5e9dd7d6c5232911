//! Which statements must be planned before the first job needs them? A plan over many partitions takes milliseconds.

use async_trait::async_trait;
use store::StoreError;

use crate::fault::Fault;
use crate::lane::{Lane, Lanes, Write};
use crate::tx::{Sql, Tx};
use crate::{claim, effect, insert, settle};

/// The hot statements of a lane, with nothing to do.
pub(crate) fn statements(lane: Lane) -> Vec<Sql> {
    match lane {
        Lane::Intake => vec![insert::nothing()],
        Lane::Claims => vec![claim::nothing()],
        Lane::Ends => settle::nothing(),
        Lane::Effects => effect::nothing(),
        Lane::Leases | Lane::Acts | Lane::Duties | Lane::Space => Vec::new(),
    }
}

/// Has them planned on the lane's connection.
struct Warm<const LANE: usize>;

#[async_trait]
impl<const LANE: usize> Write for Warm<LANE> {
    type Reply = ();
    const DOING: &'static str = "planning statements";
    const LANE: Lane = Lane::ALL[LANE];

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        for statement in statements(Self::LANE) {
            tx.execute(statement).await?;
        }
        Ok(())
    }
}

/// Has them planned once more on the lanes that are in use.
pub(crate) async fn again(lanes: &Lanes) -> Result<(), StoreError> {
    if lanes.is_used(Lane::Intake) {
        lanes.write(Warm::<{ Lane::Intake as usize }>).await?;
    }
    if lanes.is_used(Lane::Claims) {
        lanes.write(Warm::<{ Lane::Claims as usize }>).await?;
    }
    if lanes.is_used(Lane::Ends) {
        lanes.write(Warm::<{ Lane::Ends as usize }>).await?;
    }
    Ok(())
}
