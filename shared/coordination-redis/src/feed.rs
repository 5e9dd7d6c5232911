//! The live feed: one stream per job.

use async_trait::async_trait;
use coordination::{CoordinationError, Feed, FeedEntry, FeedEvent, FeedId, FeedPage};
use domain::JobId;
use domain::bounds::{FEED_EVENTS_MAX, FEED_JOB_BYTES_MAX, FEED_KEPT, FEED_KEPT_ENDED};
use redis::streams::StreamRangeReply;

use crate::link::CallError;
use crate::{RedisCoordination, entry};

#[async_trait]
impl Feed for RedisCoordination {
    async fn append(&self, job: JobId, entry: FeedEntry) -> Result<(), CoordinationError> {
        let kept = if entry.event == FeedEvent::Ended { FEED_KEPT_ENDED } else { FEED_KEPT };
        let appending = self.append.run::<u8>(&self.commands, |call| {
            call.key(self.names.feed(job)).arg(entry.id.to_string()).arg(entry::encode(&entry.event));
            call.arg(FEED_EVENTS_MAX).arg(FEED_JOB_BYTES_MAX).arg(kept.as_secs()).arg(self.names.told(job));
        });
        appending.await.map_err(|error| error.during("adding to the live feed"))?;
        Ok(())
    }

    async fn read(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        self.page(job, after, limit).await.map_err(|error| error.during("reading the live feed"))
    }

    /// That Redis is away is no end: the follower goes on when it is back, and its caller's deadline is the one that counts.
    async fn follow(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        let follower = self.ear.follow(job);
        loop {
            // Before looking, so that an event arriving in between wakes us.
            let told = follower.told();
            match self.page(job, after, limit).await {
                Ok(page) if !page.entries.is_empty() => return Ok(page),
                Ok(_) | Err(CallError::Away(_)) => {}
                Err(error @ CallError::Refused(_)) => return Err(error.during("following the live feed")),
            }
            told.await;
        }
    }
}

impl RedisCoordination {
    async fn page(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CallError> {
        let limit = limit.min(FEED_EVENTS_MAX);
        if limit == 0 {
            return Ok(FeedPage::default());
        }
        let mut reply = self.range(job, after, limit).await?;
        let mut page = entry::page(&reply, after);
        // A whole page of what this version does not understand must not hide what follows. Ids rise, so this ends.
        while page.entries.is_empty() && reply.ids.len() == limit {
            let Some(last) = entry::last(&reply) else { break };
            reply = self.range(job, Some(last), limit).await?;
            page.entries = entry::page(&reply, after).entries;
        }
        Ok(page)
    }

    async fn range(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<StreamRangeReply, CallError> {
        let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let mut range = redis::cmd("XRANGE");
        range.arg(self.names.feed(job)).arg(from).arg("+").arg("COUNT").arg(limit);
        self.commands.call(async |mut connection| range.query_async(&mut connection).await).await
    }
}
