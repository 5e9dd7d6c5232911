//! How is a long listing read? Page by page, each asked for when it is needed.

use std::collections::VecDeque;

use futures_util::stream::{Stream, try_unfold};
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::{Answer, Client, Error};

/// One page of a listing.
pub trait Page: DeserializeOwned + Clone {
    /// What is listed.
    type Item;

    /// Its rows.
    fn into_items(self) -> Vec<Self::Item>;

    /// Where to go on; nothing: that was all.
    fn cursor(&self) -> Option<&str>;
}

/// A listing that is read page by page.
///
/// ```no_run
/// # async fn example(client: flotilla_client::Client) -> Result<(), flotilla_client::Error> {
/// use flotilla_client::{JobFilter, State};
///
/// let mut dead = client.jobs(&JobFilter { state: Some(State::Dead), ..JobFilter::default() });
/// while let Some(job) = dead.next().await? {
///     println!("{} {}", job.id, job.kind);
/// }
/// # Ok(()) }
/// ```
#[must_use = "it asks for nothing by itself"]
pub struct Pages<P: Page> {
    client: Client,
    call: Call,
    at: At,
    ready: VecDeque<P::Item>,
}

enum At {
    Cursor(Option<String>),
    End,
}

impl<P: Page> Pages<P> {
    pub(crate) fn new(client: &Client, call: Call) -> Self {
        Self { client: client.clone(), call, at: At::Cursor(None), ready: VecDeque::new() }
    }

    /// Begins where an earlier listing of the same filter ended.
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.at = At::Cursor(Some(cursor.into()));
        self
    }

    /// The next page, or nothing when there are no more. It may be short or empty although more follow: a bounded scan ended.
    ///
    /// # Errors
    /// As every call; asking again goes on where it failed.
    pub async fn next_page(&mut self) -> Result<Option<Answer<P>>, Error> {
        let At::Cursor(cursor) = &self.at else { return Ok(None) };
        let call = self.call.clone().query(cursor.clone().map(|cursor| ("cursor", cursor)));
        let page: Answer<P> = self.client.ask(&call).await?;
        self.at = match page.cursor() {
            // A server that leads in circles would be followed for ever.
            Some(next) if Some(next) == cursor.as_deref() => {
                let why = "the page's cursor leads to the same page".to_owned();
                return Err(Error::Unexpected { url: self.client.url().to_owned(), status: page.status, why });
            }
            Some(next) => At::Cursor(Some(next.to_owned())),
            None => At::End,
        };
        Ok(Some(page))
    }

    /// The next row, or nothing when there are no more.
    ///
    /// # Errors
    /// As every call; asking again goes on where it failed.
    pub async fn next(&mut self) -> Result<Option<P::Item>, Error> {
        while self.ready.is_empty() {
            let Some(page) = self.next_page().await? else { return Ok(None) };
            self.ready.extend(page.into_body().into_items());
        }
        Ok(self.ready.pop_front())
    }

    /// All rows as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<P::Item, Error>> {
        try_unfold(self, |mut pages| async move { Ok(pages.next().await?.map(|item| (item, pages))) })
    }
}
