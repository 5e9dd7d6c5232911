//! Every setting there is: name, default, range, who reads it, meaning. The table of docs/configuration.md is made of this list.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var {
    /// `FLOTILLA_…` in the environment; without the prefix and in lower case, the key in `flotilla.toml`.
    pub name: &'static str,
    /// As text, or empty when there is none.
    pub default: &'static str,
    /// Which values can be used.
    pub range: &'static str,
    /// Programs: `up` is `flotilla up`, `cli` the other commands of `flotilla`.
    pub read_by: &'static [&'static str],
    pub doc: &'static str,
}

impl Var {
    /// The key in `flotilla.toml`.
    pub fn key(&self) -> String {
        self.name.trim_start_matches("FLOTILLA_").to_ascii_lowercase()
    }
}

/// What runs a part of the fleet.
const FLEET: &[&str] = &["up", "producer", "scheduler", "webhooks-worker"];
const SERVES: &[&str] = &["up", "producer"];
const KEEPS: &[&str] = &["up", "producer", "scheduler"];
const WORKS: &[&str] = &["up", "webhooks-worker"];
const APART: &[&str] = &["producer", "scheduler", "webhooks-worker"];
const AT_HOME: &[&str] = &["up", "cli"];
const EVERYTHING: &[&str] = &["up", "producer", "scheduler", "webhooks-worker", "cli"];
const COMMANDS: &[&str] = &["cli"];

macro_rules! vars {
    ($($ident:ident = $name:literal, $default:literal, $range:literal, $read_by:expr, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $ident: Var = Var { name: $name, default: $default, range: $range, read_by: $read_by, doc: $doc };)*

        /// All of them, in the order of the configuration page.
        pub const ALL: &[Var] = &[$($ident,)*];
    };
}

vars! {
    CONFIG = "FLOTILLA_CONFIG", "flotilla.toml", "a file", EVERYTHING, "The settings file. One that is named must exist; the default one may be missing. The environment wins over it. Environment only.";
    DATA_DIR = "FLOTILLA_DATA_DIR", ".flotilla", "a directory", AT_HOME, "Where one-process mode keeps its database, its secret key and the CLI's credentials. Made with mode 0700.";
    DATABASE_URL = "FLOTILLA_DATABASE_URL", "", "`sqlite://` or `postgres://`", EVERYTHING, "The store. `sqlite://` and a path, and nothing after it: the directory must exist, `sqlite:///var/lib/x.db` is absolute, `sqlite://x.db` relative. Or `postgres://user:password@host:5432/database`, with PostgreSQL's own parameters (`?sslmode=verify-full&sslrootcert=/etc/ca.pem`). A secret. Default: `sqlite://` and `flotilla.db` in the data directory.";
    BROKER_URL = "FLOTILLA_BROKER_URL", "embedded:", "`embedded:`, `amqp://` or `amqps://`", FLEET, "The broker: `amqp://user:password@host:5672/vhost`, or `amqps:`. `embedded:` is in this process, and goes with SQLite. A secret.";
    REDIS_URL = "FLOTILLA_REDIS_URL", "embedded:", "`embedded:`, `redis://` or `rediss://`", FLEET, "What processes share to be fast and friendly, the live feed, nudges and the express lane: `redis://user:password@host:6379/0`, or `rediss:`. `embedded:` is in this process. A secret.";
    EXPRESS = "FLOTILLA_EXPRESS", "true", "`true` or `false`", FLEET, "Whether hints of lone jobs also go straight to a waiting worker, through Redis: about a millisecond sooner. Nothing depends on it.";
    QUEUE_TYPE = "FLOTILLA_QUEUE_TYPE", "quorum", "`quorum` or `classic`", FLEET, "How RabbitMQ keeps queues. Queues that exist keep their type; `flotilla doctor` names those that differ.";
    TLS_CA = "FLOTILLA_TLS_CA", "", "a file", FLEET, "Certificates (PEM) that `amqps:` trusts besides those of the operating system, and `rediss:` instead of them; PostgreSQL's are named in its URL (`sslrootcert`).";
    LISTEN = "FLOTILLA_LISTEN", "127.0.0.1:8080", "an IP address and a port", SERVES, "Where the API listens; port 0 takes any free one.";
    MAX_CONNECTIONS = "FLOTILLA_MAX_CONNECTIONS", "4096", "16 to 100 000", SERVES, "Connections that the API holds open; one more is answered `503` and closed. Each needs an open file: where `ulimit -n` allows fewer, fewer are held, and the log says so.";
    MAX_REQUESTS = "FLOTILLA_MAX_REQUESTS", "2048", "16 to 100 000", SERVES, "Requests with a key that the API works on at the same time; one more is answered `503 overloaded` at once.";
    RATE_LIMIT = "FLOTILLA_RATE_LIMIT", "60000", "0 to 6 000 000", SERVES, "Requests that each API key may make in a minute, counted by each process for itself; a whole minute's may come at once. A batch is one request. 0: no limit.";
    CORS_ORIGINS = "FLOTILLA_CORS_ORIGINS", "", "`https://app.example.com`, separated by commas", SERVES, "Web pages of these origins may call the API from a browser. No wildcards. Default: none.";
    ADMIN_LISTEN = "FLOTILLA_ADMIN_LISTEN", "", "an IP address and a port", APART, "Where role processes answer `/health/live`, `/health/ready` and `/metrics`, without a key; port 0 takes any free one, and the first lines of the log say which. The API's own listener has them, too: `producer` has a port of its own for them, which its callers cannot fill, only if this is set. Default of the others: `scheduler` `127.0.0.1:8082`, `webhooks-worker` `127.0.0.1:8083`.";
    WORKER_SLOTS = "FLOTILLA_WORKER_SLOTS", "10", "1 to 10 000", WORKS, "Jobs that one worker process runs at the same time (`up --demo`: 50).";
    QUEUES = "FLOTILLA_QUEUES", "", "names, separated by commas", FLEET, "Queues to declare besides those of the known kinds. A declared queue stays declared. Worker processes draw from these and from the queues of their kinds; `up` draws from all.";
    SECRET_KEY = "FLOTILLA_SECRET_KEY", "", "64 hex digits", EVERYTHING, "32 bytes (`openssl rand -hex 32`): seals secrets and hashes API keys. The same for all processes of a fleet; required with PostgreSQL. With another one, no API key and no webhook secret works any more. Default: on SQLite, made at the first start and kept in `secret.key`.";
    WEBHOOKS_ALLOW = "FLOTILLA_WEBHOOKS_ALLOW", "", "`address[/prefix][:port]`, separated by commas", WORKS, "Addresses that deliveries may reach although they are not public: `127.0.0.1:9000`, `10.0.0.0/8`, `[::1]:9000`. No names. Plain http is allowed to them, on any port unless one is given.";
    WEBHOOKS_HTTP = "FLOTILLA_WEBHOOKS_HTTP", "false", "`true` or `false`", WORKS, "Whether deliveries may use plain http to public addresses.";
    WEBHOOKS_PORTS = "FLOTILLA_WEBHOOKS_PORTS", "443,80", "1 to 65535, separated by commas", WORKS, "Ports of public addresses that deliveries may reach.";
    SUCCEEDED_KEPT = "FLOTILLA_SUCCEEDED_KEPT", "1d", "1d to 400d", KEEPS, "How long succeeded jobs are kept (at least 24 h, so that a repeated idempotency key finds its job).";
    DEAD_KEPT = "FLOTILLA_DEAD_KEPT", "30d", "1h to 400d", KEEPS, "How long dead jobs are kept.";
    STOPPED_KEPT = "FLOTILLA_STOPPED_KEPT", "7d", "1h to 400d", KEEPS, "How long cancelled and expired jobs are kept.";
    URL = "FLOTILLA_URL", "", "`http://` or `https://`", COMMANDS, "Where the command line finds the API. Set it together with `FLOTILLA_KEY` or not at all. Default: what a local `flotilla up` left in the data directory.";
    KEY = "FLOTILLA_KEY", "", "`flt_…`", COMMANDS, "The API key of the command line. A secret. Default: what a local `flotilla up` left in the data directory.";
    LOG = "FLOTILLA_LOG", "info", "tracing directives", FLEET, "What is logged: `info`, `info,runtime=debug`.";
    LOG_FORMAT = "FLOTILLA_LOG_FORMAT", "auto", "`text`, `json` or `auto`", FLEET, "`auto`: text when standard error is a terminal, JSON otherwise.";
}

/// Some of them as a part of `--help`: name, meaning, default.
pub fn help(vars: &[&Var]) -> String {
    let default = |var: &Var| if var.default.is_empty() { String::new() } else { format!(" [default: {}]", var.default) };
    let one = |var: &&Var| format!("  {}\n          {}{}\n", var.name, var.doc, default(var));
    vars.iter().map(one).collect()
}
