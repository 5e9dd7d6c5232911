//! Do servers outlive nobody, and do they come back as they were? With real ones.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use private_servers::{Extras, Programs, Recipe, Redis, Server, ServerError, Stop};
use testkit::{ChildGuard, eventually, skip};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_secs(60);
const MISSING: &str = "redis-server is not installed";

/// A directory that the system users of servers can enter.
fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).expect("changed");
    directory
}

fn redis() -> Option<PathBuf> {
    Programs::find(Path::new("/"), None).redis
}

async fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
}

/// Kills the owner of a server, which then must go with its files.
async fn kill_owner(wish: Option<&str>) {
    let Some(program) = redis() else { skip!("redis", MISSING) };
    let directory = open_directory();
    let inner = directory.path().join("inner");
    let mut command = Command::new(env!("CARGO_BIN_EXE_private-redis"));
    let mut owner = ChildGuard::spawn(command.arg(program).arg(&inner).args(wish).stdout(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(owner.child().stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    let port = line.trim().parse().expect("a port");
    // Also who is frozen: the system takes the connection for it.
    assert!(listens(port).await && inner.exists());
    owner.kill();
    eventually("the server has ended", LONG, async || !listens(port).await).await;
    eventually("its files are gone", LONG, async || !inner.exists()).await;
}

#[tokio::test]
async fn an_owner_that_is_killed_takes_its_server_and_its_files_along() {
    kill_owner(None).await;
}

/// The system tells a group with a stopped member that it has lost its parent, which must not end the guard.
#[tokio::test]
async fn a_frozen_server_goes_as_well() {
    kill_owner(Some("frozen")).await;
}

#[tokio::test]
async fn a_server_that_is_kept_goes_on_until_it_is_stopped() {
    let Some(program) = redis() else { skip!("redis", MISSING) };
    let directory = open_directory();
    let recipe = Redis::plan(&program, &[directory.path().join("inner")], Extras::default()).expect("planned");
    let mut server = Server::new(recipe.clone(), None);
    server.start().expect("starts");
    let kept = server.keep().expect("kept");
    assert!(kept.is_running() && listens(recipe.port()).await);
    kept.stop(&recipe).expect("stops");
    assert!(!kept.is_running() && !listens(recipe.port()).await);
    kept.stop(&recipe).expect("stopped is stopped");
    // The same recipe is the same server.
    let mut again = Server::new(recipe.clone(), None);
    again.start().expect("starts again");
    assert!(listens(recipe.port()).await);
    again.stop(Stop::Gently);
    assert!(!listens(recipe.port()).await);
    assert!(recipe.home().join("data/appendonlydir").exists(), "its data stays");
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let Some(program) = redis() else { skip!("redis", MISSING) };
    let directory = open_directory();
    let extras = Extras { settings: vec!["no-such-setting yes".to_owned()], files: vec![] };
    let recipe = Redis::plan(&program, &[directory.path().join("inner")], extras).expect("planned");
    let error = Server::new(recipe, None).start().expect_err("refused");
    assert!(matches!(error, ServerError::Ended { .. }), "{error:?}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}
