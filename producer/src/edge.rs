//! How much does the API allow its callers? Told by the composition root.

use std::num::NonZeroU32;

use settings::Origin;

/// What is allowed, apart from what each route bounds by itself.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Requests with a key that are in work at the same time.
    pub requests_max: usize,
    /// Requests of one key in a minute; `None`: as many as it likes.
    pub rate_limit: Option<NonZeroU32>,
    /// Whose web pages may call the API.
    pub origins: Vec<Origin>,
}

impl Default for Edge {
    fn default() -> Self {
        Self { requests_max: 2_048, rate_limit: None, origins: Vec::new() }
    }
}
