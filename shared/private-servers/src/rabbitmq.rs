//! How is a private RabbitMQ set up? As a node with a name, a cookie, a port mapper and a database of its own, and with the management API.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ServerError;
use crate::home::{Extras, Home};
use crate::http::Api;
use crate::port::free_port;
use crate::random::random_hex;
use crate::root::Root;
use crate::server::{Recipe, START_MAX, Stop};

const LOGIN: &str = "flotilla";
const ADVANCED: &str = "advanced.config";
/// The account that Debian's package makes.
const USER: &str = "rabbitmq";
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// What a client of AMQP 0-9-1 says first.
const HELLO: &[u8; 8] = b"AMQP\0\0\x09\x01";
/// Erlang would start a port mapper that outlives everybody, unless there is one; this one is in our group.
const RUN: &str = r#"epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & exec "$1""#;
/// A root has no `/proc`, where the node would look for the memory that it has and uses.
const WITHOUT_PROC: &str = "vm_memory_calculation_strategy = allocated\ntotal_memory_available_override_value = 4GB\n";

/// The recipe, with everything that two starts must have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RabbitMq {
    home: Home,
    script: PathBuf,
    port: u16,
    management_port: u16,
    distribution_port: u16,
    mapper_port: u16,
    node: String,
    cookie: String,
    password: String,
    extras: Extras,
}

impl RabbitMq {
    /// In the first of `parents` that will do. `script` is the `rabbitmq-server` that runs as whoever starts it.
    ///
    /// # Errors
    /// When there is no directory or no port for it.
    pub fn plan(script: &Path, parents: &[PathBuf], extras: Extras) -> Result<Self, ServerError> {
        Self::planned(script, Home::create(Self::NAME, USER, parents)?, extras)
    }

    /// The version that is in a root, with its files below [`Root::parent`] of `name`.
    ///
    /// # Errors
    /// When we are not root, or there is no directory or no port for it.
    pub fn plan_in(root: &Root, name: &str, extras: Extras) -> Result<Self, ServerError> {
        Self::planned(Root::script(), Home::create_in(root, name, Self::NAME, USER)?, extras)
    }

    fn planned(script: &Path, home: Home, extras: Extras) -> Result<Self, ServerError> {
        let port = || free_port().map_err(ServerError::io("find a port for rabbitmq"));
        Ok(Self {
            home,
            script: script.to_owned(),
            port: port()?,
            management_port: port()?,
            distribution_port: port()?,
            mapper_port: port()?,
            // Not the host's name, which need not resolve.
            node: format!("flotilla-{}@localhost", random_hex(4)),
            cookie: random_hex(16),
            password: random_hex(16),
            extras,
        })
    }

    /// The same extras, with a broker that counts often: tests wait for counts, which are five seconds old otherwise.
    pub fn brisk(mut extras: Extras) -> Extras {
        extras.settings.push("collect_statistics_interval = 500".to_owned());
        extras.files.push((ADVANCED.to_owned(), "[{rabbit, [{quorum_tick_interval, 500}]}].\n".to_owned()));
        extras
    }

    /// The URL without a virtual host.
    pub fn url(&self) -> String {
        format!("amqp://{LOGIN}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// The URL of the management API.
    pub fn admin_url(&self) -> String {
        format!("http://{LOGIN}:{}@127.0.0.1:{}", self.password, self.management_port)
    }

    /// Where it runs, if not in the system.
    pub fn root(&self) -> Option<&Root> {
        self.home.root()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `rabbitmqctl` says.
    ///
    /// # Errors
    /// When it fails; the node must run.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String, ServerError> {
        let mut command = self.command_with_surroundings(&self.script.with_file_name("rabbitmqctl"))?;
        command.args(["--node", &self.node]).args(arguments).stdout(Stdio::piped());
        crate::process::run_to_end("rabbitmqctl", &mut command, "", START_MAX)
    }

    fn command_with_surroundings(&self, program: &Path) -> Result<Command, ServerError> {
        let mut command = self.home.command(program)?;
        let texts = [
            ("RABBITMQ_NODENAME", self.node.clone()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", self.port.to_string()),
            ("RABBITMQ_DIST_PORT", self.distribution_port.to_string()),
            ("ERL_EPMD_PORT", self.mapper_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            // Otherwise it would talk to other nodes on every interface.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
            // Of the system's own server.
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            // Makes the script become the node, instead of standing before it.
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ];
        let paths = [
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", ADVANCED),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
            ("RABBITMQ_PID_FILE", "node.pid"),
        ];
        command.envs(texts).envs(paths.map(|(name, file)| (name, self.home.seen(file))));
        Ok(command)
    }

    /// It says hello back only when it takes clients.
    fn greets(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(HELLO)?;
        let mut answer = [0; 1];
        stream.read_exact(&mut answer)?;
        // A frame with a method: `connection.start`.
        Ok(answer == [1])
    }
}

impl Recipe for RabbitMq {
    const NAME: &'static str = "rabbitmq";

    fn home(&self) -> &Home {
        &self.home
    }

    fn prepare(&self) -> Result<(), ServerError> {
        for directory in ["mnesia", "log"] {
            self.home.subdirectory(directory)?;
        }
        self.home.write(".erlang.cookie", &self.cookie)?;
        self.home.write("enabled_plugins", "[rabbitmq_management].\n")?;
        self.home.write(ADVANCED, "[].\n")?;
        let extras = self.home.lay_out(&self.extras)?;
        let surroundings = self.home.root().map_or("", |_| WITHOUT_PROC);
        let configuration = format!(
            "listeners.tcp.default = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\ndefault_user = {LOGIN}\n\
            default_pass = {}\nlog.console = true\nlog.console.level = warning\nlog.file = false\n{surroundings}{extras}",
            self.port, self.management_port, self.password
        );
        self.home.write("rabbitmq.conf", &configuration).map(drop)
    }

    fn command(&self) -> Result<Command, ServerError> {
        let mut command = self.command_with_surroundings(Path::new("sh"))?;
        command.args(["-c", RUN, "run"]).arg(&self.script);
        Ok(command)
    }

    fn is_ready(&self, _pid: u32) -> bool {
        let api = Api::new(self.management_port, LOGIN, &self.password);
        let administers = || api.call("GET", "/api/whoami", None, ANSWER_WITHIN).is_ok_and(|answer| answer.status == 200);
        self.greets().unwrap_or(false) && administers()
    }

    fn signal(stop: Stop) -> &'static str {
        match stop {
            Stop::Gently => "TERM",
            Stop::AtOnce => "KILL",
        }
    }
}
