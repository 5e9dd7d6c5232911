//! A judging webhook receiver as a process: `webhook-judge <whsec_…> <ledger file>`. For tests that kill the other side.

use std::path::Path;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [secret, ledger_file] = arguments.as_slice() else {
        return Err(std::io::Error::other("expected: webhook-judge <secret> <ledger file>"));
    };
    let secret = secret.parse().map_err(std::io::Error::other)?;
    testkit::receiver::run_as_process(secret, Path::new(ledger_file)).await
}
