//! `flotilla migrate`: brings PostgreSQL's schema up to date before role processes start.

use bootstrap::{DatabaseSettings, Migration};
use clap::Args;
use serde_json::json;
use settings::{Reader, Source};

use super::say::Format;
use super::{Outcome, say};

/// Bring the database's schema up to date.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads FLOTILLA_DATABASE_URL. Any number may run at once, any number of times; role processes wait for nobody
and refuse a schema that they do not know, so run it before them. `flotilla up` does it by itself.

Example:
  FLOTILLA_DATABASE_URL=postgres://flotilla:…@db.internal:5432/flotilla flotilla migrate")]
pub struct Migrate {}

impl Migrate {
    pub async fn run(self, source: &Source, format: Format) -> anyhow::Result<Outcome> {
        let mut reader = Reader::new(source);
        let settings = DatabaseSettings::read(&mut reader);
        let done = bootstrap::migrate(&reader.finish(settings)?).await?;
        match (done, format) {
            (Some(Migration { database, from, to, partitions }), Format::Json) => {
                say::made(&json!({ "database": database, "from": from, "to": to, "partitions_made": partitions }));
            }
            (Some(migration), Format::Text) => say::line(&sentence(&migration)),
            (None, Format::Json) => say::made(&json!({ "database": "sqlite" })),
            (None, Format::Text) => say::line("nothing to do: a SQLite database is brought up to date when `flotilla up` opens it"),
        }
        Ok(Outcome::Done)
    }
}

fn sentence(migration: &Migration) -> String {
    let Migration { database, from, to, partitions } = migration;
    let schema = match (from, to) {
        (0, to) => format!("schema made, version {to}"),
        (from, to) if from == to => format!("schema is up to date, version {to}"),
        (from, to) => format!("schema brought from version {from} to {to}"),
    };
    let made = if *partitions > 0 { format!("; partitions made for {partitions} spans of time") } else { String::new() };
    format!("{database}: {schema}{made}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_from_where_to_where() {
        let said = |from, to, partitions| sentence(&Migration { database: "postgres://db/jobs".to_owned(), from, to, partitions });
        assert_eq!(said(0, 1, 10), "postgres://db/jobs: schema made, version 1; partitions made for 10 spans of time");
        assert_eq!(said(1, 3, 0), "postgres://db/jobs: schema brought from version 1 to 3");
        assert_eq!(said(3, 3, 0), "postgres://db/jobs: schema is up to date, version 3");
    }
}
