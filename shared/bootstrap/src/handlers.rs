//! Where handlers run: threads of their own, so that one that blocks holds up other handlers but neither the lease, nor the
//! store, nor the API.

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime for handlers; dropping it does not wait for them.
pub struct HandlerThreads {
    runtime: Option<Runtime>,
}

impl HandlerThreads {
    pub fn start() -> std::io::Result<Self> {
        Ok(Self { runtime: Some(Builder::new_multi_thread().thread_name("handler").enable_all().build()?) })
    }

    pub fn handle(&self) -> Handle {
        self.runtime.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for HandlerThreads {
    fn drop(&mut self) {
        // Waiting for threads is not allowed where others are driven, and whatever still runs has had its grace.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
