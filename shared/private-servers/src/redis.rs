//! How is a private Redis set up? With a password, an append-only file that is synced each second, and nothing evicted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ServerError;
use crate::home::{Extras, Home};
use crate::port::free_port;
use crate::random::random_hex;
use crate::server::{Recipe, Stop};

/// The account that Debian's package makes.
const USER: &str = "redis";
const PONG_WITHIN: Duration = Duration::from_secs(1);

/// The recipe, with everything that two starts must have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Redis {
    home: Home,
    program: PathBuf,
    port: u16,
    password: String,
    extras: Extras,
}

impl Redis {
    /// In the first of `parents` that will do.
    ///
    /// # Errors
    /// When there is no directory or no port for it.
    pub fn plan(program: &Path, parents: &[PathBuf], extras: Extras) -> Result<Self, ServerError> {
        Ok(Self {
            home: Home::create(Self::NAME, USER, parents)?,
            program: program.to_owned(),
            port: free_port().map_err(ServerError::io("find a port for redis"))?,
            password: random_hex(16),
            extras,
        })
    }

    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// While it reads its file, it answers with an error.
    fn ping(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), PONG_WITHIN)?;
        stream.set_read_timeout(Some(PONG_WITHIN))?;
        write!(stream, "AUTH {}\r\nPING\r\n", self.password)?;
        let expected = b"+OK\r\n+PONG\r\n";
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *expected)
    }
}

impl Recipe for Redis {
    const NAME: &'static str = "redis";

    fn home(&self) -> &Home {
        &self.home
    }

    fn prepare(&self) -> Result<(), ServerError> {
        let data = self.home.subdirectory("data")?;
        let extras = self.home.lay_out(&self.extras)?;
        let configuration = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\ndir \"{}\"\ndaemonize no\nappendonly yes\nappendfsync everysec\nsave \"\"\n\
            maxmemory-policy noeviction\n{extras}",
            self.port,
            self.password,
            data.display()
        );
        self.home.write("redis.conf", &configuration).map(drop)
    }

    fn command(&self) -> Result<Command, ServerError> {
        let mut command = self.home.command(&self.program)?;
        command.arg(self.home.join("redis.conf"));
        Ok(command)
    }

    fn is_ready(&self, _pid: u32) -> bool {
        self.ping().unwrap_or(false)
    }

    fn signal(stop: Stop) -> &'static str {
        match stop {
            Stop::Gently => "TERM",
            Stop::AtOnce => "KILL",
        }
    }
}
