//! Every setting there is: name, default, meaning. The configuration page is checked against this list.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var {
    /// `FLOTILLA_…` in the environment; without the prefix and in lower case, the key in `flotilla.toml`.
    pub name: &'static str,
    /// As text, or empty when there is none.
    pub default: &'static str,
    pub doc: &'static str,
}

impl Var {
    /// The key in `flotilla.toml`.
    pub fn key(&self) -> String {
        self.name.trim_start_matches("FLOTILLA_").to_ascii_lowercase()
    }
}

macro_rules! vars {
    ($($ident:ident = $name:literal, $default:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $ident: Var = Var { name: $name, default: $default, doc: $doc };)*

        /// All of them, in the order of the configuration page.
        pub const ALL: &[Var] = &[$($ident,)*];
    };
}

vars! {
    CONFIG = "FLOTILLA_CONFIG", "flotilla.toml", "The settings file; it may be missing. The environment wins over it.";
    DATA_DIR = "FLOTILLA_DATA_DIR", ".flotilla", "Where one-process mode keeps its database, its secret key and the CLI's credentials.";
    DATABASE_URL = "FLOTILLA_DATABASE_URL", "", "The store: `sqlite://` and a path, or `postgres://user:password@host:port/database`. Default: `sqlite://` and `flotilla.db` in the data directory.";
    BROKER_URL = "FLOTILLA_BROKER_URL", "embedded:", "The broker: `amqp://user:password@host:port/vhost`, or `amqps:`. `embedded:` is in this process.";
    REDIS_URL = "FLOTILLA_REDIS_URL", "embedded:", "The live feed and nudges between processes: `redis://user:password@host:port/database`, or `rediss:`. `embedded:` is in this process.";
    QUEUE_TYPE = "FLOTILLA_QUEUE_TYPE", "quorum", "How RabbitMQ keeps queues: `quorum` or `classic`. Queues that exist keep their type.";
    TLS_CA = "FLOTILLA_TLS_CA", "", "A file with certificates (PEM) that `amqps:` and `rediss:` trust; PostgreSQL's is named in its URL (`sslrootcert`).";
    LISTEN = "FLOTILLA_LISTEN", "127.0.0.1:8080", "Where the API listens; port 0 takes any free one.";
    ADMIN_LISTEN = "FLOTILLA_ADMIN_LISTEN", "", "Where `scheduler` and workers answer `/health/live`, `/health/ready` and `/metrics`; port 0 takes any free one. Default: the role's own.";
    WORKER_SLOTS = "FLOTILLA_WORKER_SLOTS", "10", "Jobs that one worker process runs at the same time.";
    QUEUES = "FLOTILLA_QUEUES", "", "Queues to declare besides those of the known kinds, separated by commas. Worker processes draw from them, too.";
    SECRET_KEY = "FLOTILLA_SECRET_KEY", "", "32 bytes as 64 hex digits: seals secrets and hashes API keys. On SQLite one is made at the first start and kept in the data directory; on PostgreSQL it is required, the same for all processes.";
    WEBHOOKS_ALLOW = "FLOTILLA_WEBHOOKS_ALLOW", "", "Addresses that deliveries may reach although they are not public, as `address[/prefix][:port]`, separated by commas. Plain http is allowed to them.";
    WEBHOOKS_HTTP = "FLOTILLA_WEBHOOKS_HTTP", "false", "Whether deliveries may use plain http to public addresses.";
    WEBHOOKS_PORTS = "FLOTILLA_WEBHOOKS_PORTS", "443,80", "Ports of public addresses that deliveries may reach, separated by commas.";
    SUCCEEDED_KEPT = "FLOTILLA_SUCCEEDED_KEPT", "1d", "How long succeeded jobs are kept (at least 24 h, so that a repeated idempotency key finds its job).";
    DEAD_KEPT = "FLOTILLA_DEAD_KEPT", "30d", "How long dead jobs are kept.";
    STOPPED_KEPT = "FLOTILLA_STOPPED_KEPT", "7d", "How long cancelled and expired jobs are kept.";
    URL = "FLOTILLA_URL", "", "Where the command line finds the API. Default: what a local `flotilla up` left in the data directory.";
    KEY = "FLOTILLA_KEY", "", "The API key of the command line. Default: what a local `flotilla up` left in the data directory.";
    LOG = "FLOTILLA_LOG", "info", "What is logged, as tracing directives: `info`, `info,runtime=debug`.";
    LOG_FORMAT = "FLOTILLA_LOG_FORMAT", "auto", "`text`, `json`, or `auto`: text on a terminal, JSON otherwise.";
}

/// Some of them as a part of `--help`: name, meaning, default.
pub fn help(vars: &[&Var]) -> String {
    let default = |var: &Var| if var.default.is_empty() { String::new() } else { format!(" [default: {}]", var.default) };
    let one = |var: &&Var| format!("  {}\n          {}{}\n", var.name, var.doc, default(var));
    vars.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_setting_is_documented_with_its_default() {
        let page = include_str!("../../../docs/configuration.md");
        for var in ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}`", var.name)));
            let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row for {}", var.name));
            assert!(row.contains(var.default), "docs/configuration.md names another default for {} than `{}`", var.name, var.default);
        }
    }
}
