//! A private Redis as a process: `private-redis <redis-server> <directory> [frozen]`. For tests that kill whoever owns a server.

use std::io::{Error, Write};
use std::path::PathBuf;
use std::sync::Arc;

use private_servers::{Extras, Redis, Server, Sweeper};

fn main() -> std::io::Result<std::convert::Infallible> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [program, directory, wish @ ..] = arguments.as_slice() else {
        return Err(Error::other("expected: private-redis <redis-server> <directory> [frozen]"));
    };
    let parents = std::slice::from_ref(directory);
    let sweeper = Sweeper::over(parents).map_err(Error::other)?;
    let recipe = Redis::plan(program, parents, Extras::default()).map_err(Error::other)?;
    let mut server = Server::new(recipe, Some(Arc::new(sweeper)));
    server.start().map_err(Error::other)?;
    if !wish.is_empty() {
        server.freeze();
    }
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.recipe().port())?;
    out.flush()?;
    // Until somebody kills us: then nothing of ours runs any more, also no destructor.
    loop {
        std::thread::park();
    }
}
