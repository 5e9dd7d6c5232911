//! How is a private PostgreSQL set up? With a superuser and a password of its own, no sockets in the file system, and durability as
//! PostgreSQL ships it. A standby begins as a copy of its primary, and follows it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::ServerError;
use crate::home::{Extras, Home};
use crate::port::free_port;
use crate::random::random_hex;
use crate::server::{Recipe, START_MAX, Stop};

const ROLE: &str = "flotilla";
/// The account that Debian's package makes.
const USER: &str = "postgres";

/// The recipe, with everything that two starts must have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Postgres {
    home: Home,
    bin: PathBuf,
    port: u16,
    password: String,
    databases: Vec<String>,
    /// The port of the primary that it follows until it is promoted; `None`: it is one.
    #[serde(default)]
    follows: Option<u16>,
    extras: Extras,
}

impl Postgres {
    /// In the first of `parents` that will do, with the programs in `bin`, and with `databases` besides `postgres`.
    ///
    /// # Errors
    /// When there is no directory or no port for it.
    pub fn plan(bin: &Path, parents: &[PathBuf], databases: &[&str], extras: Extras) -> Result<Self, ServerError> {
        Ok(Self {
            home: Home::create(Self::NAME, USER, parents)?,
            bin: bin.to_owned(),
            port: free_port().map_err(ServerError::io("find a port for postgres"))?,
            password: random_hex(16),
            databases: databases.iter().map(|name| (*name).to_owned()).collect(),
            follows: None,
            extras,
        })
    }

    /// A standby of this one, which must run when the standby first starts.
    ///
    /// # Errors
    /// When there is no directory or no port for it.
    pub fn plan_standby(&self, parents: &[PathBuf]) -> Result<Self, ServerError> {
        let standby = Self::plan(&self.bin, parents, &[], self.extras.clone())?;
        Ok(Self { password: self.password.clone(), follows: Some(self.port), ..standby })
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Data is there only when all of it is: an interrupted `initdb` leaves no half of a cluster.
    fn initialise(&self) -> Result<(), ServerError> {
        let (data, fresh) = (self.home.join("data"), self.home.join("data.new"));
        if data.exists() {
            return Ok(());
        }
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).map_err(ServerError::file("remove", &fresh))?;
        }
        match self.follows {
            Some(primary) => self.copy(primary, &fresh)?,
            None => self.make(&fresh)?,
        }
        std::fs::rename(&fresh, &data).map_err(ServerError::file("rename", &fresh))
    }

    /// With everything that it takes to follow.
    fn copy(&self, primary: u16, fresh: &Path) -> Result<(), ServerError> {
        let mut copying = self.home.command(&self.bin.join("pg_basebackup"))?;
        copying.args(["--host=127.0.0.1", "--no-password", "--checkpoint=fast", "--write-recovery-conf"]);
        copying.arg(format!("--port={primary}")).arg(format!("--username={ROLE}"));
        copying.arg("-D").arg(fresh).env("PGPASSWORD", &self.password);
        crate::process::run_to_end("pg_basebackup", &mut copying, "", START_MAX).map(drop)
    }

    fn make(&self, fresh: &Path) -> Result<(), ServerError> {
        let password = self.home.write("password", &self.password)?;
        let mut initdb = self.home.command(&self.bin.join("initdb"))?;
        initdb.arg("-D").arg(fresh).args(["-U", ROLE, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]);
        initdb.arg("--pwfile").arg(&password);
        crate::process::run_to_end("initdb", &mut initdb, "", START_MAX)?;
        std::fs::remove_file(&password).map_err(ServerError::file("remove", &password))?;
        let create: String = self.databases.iter().map(|name| format!("create database {name};\n")).collect();
        if !create.is_empty() {
            let mut single = self.home.command(&self.bin.join("postgres"))?;
            single.arg("--single").arg("-D").arg(fresh).args(["-c", "exit_on_error=on", "postgres"]).stdin(Stdio::piped());
            crate::process::run_to_end("postgres --single", &mut single, &create, START_MAX)?;
        }
        Ok(())
    }
}

impl Recipe for Postgres {
    const NAME: &'static str = "postgres";

    fn home(&self) -> &Home {
        &self.home
    }

    fn prepare(&self) -> Result<(), ServerError> {
        self.initialise()?;
        let extras = self.home.lay_out(&self.extras)?;
        let configuration = format!(
            "include 'data/postgresql.conf'\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\n{extras}",
            self.port
        );
        self.home.write("postgresql.conf", &configuration).map(drop)
    }

    fn command(&self) -> Result<Command, ServerError> {
        let mut command = self.home.command(&self.bin.join("postgres"))?;
        command.arg("-D").arg(self.home.join("data"));
        command.arg("-c").arg(format!("config_file={}", self.home.join("postgresql.conf").display()));
        Ok(command)
    }

    /// As `pg_ctl` does it: by the file of the postmaster, whose first line says who wrote it and whose eighth how it is.
    fn is_ready(&self, pid: u32) -> bool {
        let text = std::fs::read_to_string(self.home.join("data/postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        lines.next() == Some(pid.to_string().as_str()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    /// INT is a fast shutdown, QUIT an immediate one. Never KILL: it would leave shared memory behind.
    fn signal(stop: Stop) -> &'static str {
        match stop {
            Stop::Gently => "INT",
            Stop::AtOnce => "QUIT",
        }
    }
}
