//! What can be wrong with the data directory of one-process mode?

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bootstrap::{Finding, Verdict};

/// A log much larger than this means that something keeps SQLite from folding it into the database.
const WAL_LARGE_BYTES: u64 = 256 * 1024 * 1024;

/// Looks at the directory, the secrets in it, and the database as far as it can be seen from outside.
pub fn check(data_dir: &Path) -> Vec<Finding> {
    vec![directory(data_dir), secrets(data_dir), database(data_dir)]
}

fn directory(data_dir: &Path) -> Finding {
    let shown = data_dir.display();
    match std::fs::metadata(data_dir) {
        Err(_) => Finding::new("directory", Verdict::Skipped, format!("`{shown}` does not exist yet")).mend("`flotilla up` makes it"),
        Ok(meta) if !meta.is_dir() => {
            Finding::new("directory", Verdict::Bad, format!("`{shown}` is not a directory")).mend("move it away, or set FLOTILLA_DATA_DIR")
        }
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            Finding::new("directory", Verdict::Warning, format!("others may look into `{shown}`")).mend(format!("chmod 700 {shown}"))
        }
        Ok(_) => Finding::new("directory", Verdict::Good, format!("`{shown}` is there, for its owner alone")),
    }
}

fn secrets(data_dir: &Path) -> Finding {
    let open = ["secret.key", "cli.json", "flotilla.db"].into_iter().find(|name| {
        let meta = std::fs::metadata(data_dir.join(name));
        meta.is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    });
    match open {
        Some(name) => {
            let path = data_dir.join(name);
            Finding::new("secrets", Verdict::Bad, format!("others may read `{}`", path.display()))
                .mend(format!("chmod 600 {}", path.display()))
        }
        None if !data_dir.exists() => Finding::new("secrets", Verdict::Skipped, "there are none yet"),
        None => Finding::new("secrets", Verdict::Good, "for their owner alone"),
    }
}

/// What can be seen from outside: the file belongs to the process that runs, if one does.
fn database(data_dir: &Path) -> Finding {
    let path = data_dir.join("flotilla.db");
    let Ok(mut file) = std::fs::File::open(&path) else {
        return Finding::new("database", Verdict::Skipped, format!("`{}` does not exist yet or cannot be read", path.display()));
    };
    let mut head = [0; 16];
    let is_sqlite = std::io::Read::read_exact(&mut file, &mut head).is_ok() && &head == b"SQLite format 3\0";
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let (size, wal) = (bytes(&path), bytes(&data_dir.join("flotilla.db-wal")));
    let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
    if size > 0 && !is_sqlite {
        let check = Finding::new("database", Verdict::Bad, format!("`{}` is no database", path.display()));
        return check.mend("restore a backup, or move the file away to start with an empty one");
    }
    let detail = format!("{} MiB, and {} MiB not folded in yet", mib(size), mib(wal));
    if wal > WAL_LARGE_BYTES {
        return Finding::new("database", Verdict::Warning, detail)
            .mend("restart the process; if that does not help, look for another program that reads the file");
    }
    Finding::new("database", Verdict::Good, detail)
}
