//! How is a listing gathered from its pages, up to the number of rows that was asked for?

use std::collections::HashMap;

use flotilla_client::{Answer, Error, Page, Pages, Time};
use serde_json::value::RawValue;

use super::say;

/// Rows of one page.
const PAGE_ROWS_MAX: usize = 200;
/// Pages that one command asks for: a filter that few rows match may bring many short ones.
const PAGES_MAX: usize = 100;

/// Rows of one or more pages.
pub struct Listing<T> {
    pub items: Vec<T>,
    /// The same word for word.
    raw: Vec<Box<RawValue>>,
    cursor: Option<String>,
    scanned_until: Option<Time>,
}

impl<T> Listing<T> {
    /// Asks for pages of so many rows until there are `limit` rows or no more pages. `member` is what the API calls the rows.
    pub async fn gather<P: Page<Item = T>>(
        member: &str,
        limit: usize,
        cursor: Option<String>,
        pages: impl Fn(usize) -> Pages<P>,
    ) -> Result<Self, Error> {
        let mut all = Self { items: Vec::new(), raw: Vec::new(), cursor, scanned_until: None };
        for _ in 0..PAGES_MAX {
            let asked = pages((limit - all.items.len()).min(PAGE_ROWS_MAX));
            let mut asked = match all.cursor.take() {
                Some(cursor) => asked.after(cursor),
                None => asked,
            };
            let Some(page) = asked.next_page().await? else { break };
            all.add(member, page);
            if all.cursor.is_none() || all.items.len() >= limit {
                break;
            }
        }
        Ok(all)
    }

    fn add<P: Page<Item = T>>(&mut self, member: &str, page: Answer<P>) {
        let mut members: HashMap<String, Box<RawValue>> = serde_json::from_str(page.text()).unwrap_or_default();
        let rows = members.remove(member).and_then(|rows| serde_json::from_str::<Vec<Box<RawValue>>>(rows.get()).ok());
        self.raw.extend(rows.unwrap_or_default());
        self.scanned_until = members.remove("scanned_until").and_then(|time| serde_json::from_str(time.get()).ok()).flatten();
        self.cursor = page.cursor().map(str::to_owned);
        self.items.extend(page.into_body().into_items());
    }

    /// The API's JSON, as if it had been one page.
    pub fn say_json(&self, member: &str) {
        let rows = serde_json::to_string(&self.raw).unwrap_or_default();
        let cursor = serde_json::to_string(&self.cursor).unwrap_or_default();
        let until = self.scanned_until.map_or_else(String::new, |until| format!(",\"scanned_until\":\"{}\"", until.to_rfc3339()));
        say::json(&format!("{{\"{member}\":{rows},\"cursor\":{cursor}{until}}}"));
    }

    /// Where it ended, if it did not end with the last row there is.
    pub fn say_rest(&self) {
        if let Some(until) = &self.scanned_until {
            say::aside(&format!("looked back to {}; older ones were not looked at yet", until.to_rfc3339()));
        }
        if let Some(cursor) = &self.cursor {
            say::aside(&format!("more: --cursor {cursor}"));
        }
    }
}
