//! The Redis adapter keeps the contract of coordination, and what Redis may do to it costs comfort only.

mod bench;
mod express;
mod faults;
mod feed;
mod fleet;
mod logs;
mod silence;
mod tls;

use bench::Bench;

coordination::contract_suite!(match Bench::shared() {
    Some(bench) => bench,
    None => testkit::skip!("redis", testkit::servers::HOW),
});

coordination::express_suite!(match Bench::shared() {
    Some(bench) => bench,
    None => testkit::skip!("redis", testkit::servers::HOW),
});
