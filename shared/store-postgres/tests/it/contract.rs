//! Does the store pass the port's contract? // I13

use testkit::servers;

use crate::fixture::PostgresFixture;

store::contract_suite!(PostgresFixture::new().await, {
    if servers::postgres().is_none() {
        testkit::skip!("postgres", servers::HOW);
    }
});

store::ledger_suite!(PostgresFixture::new().await, {
    if servers::postgres().is_none() {
        testkit::skip!("postgres", servers::HOW);
    }
});
