//! Does the store pass the port's contract? // I13

use crate::fixture::SqliteFixture;

store::contract_suite!(SqliteFixture::new().await);
