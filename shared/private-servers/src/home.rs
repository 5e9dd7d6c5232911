//! Where does a server keep its files, and what surroundings does it start with? In one directory that belongs to its account.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::error::ServerError;
use crate::root::Root;

const LOG: &str = "server.log";
const LOG_TAIL_BYTES: usize = 4_096;
/// Servers see nothing of the environment they are started from: a variable of the system's own server must not reach them.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// In a root, one begins at its top.
const FROM_HOME: &str = r#"cd "$HOME" && exec "$0" "$@""#;

/// What one start wants beyond the recipe. `{dir}` in a setting stands for the server's directory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Extras {
    /// Lines for the server's configuration file.
    pub settings: Vec<String>,
    /// Files beside it, by name; only the server and root may read them.
    pub files: Vec<(String, String)>,
}

/// The directory of one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Home {
    directory: PathBuf,
    account: Option<Account>,
    /// What the server takes for the whole file system, if that is not the machine's.
    #[serde(default)]
    root: Option<Root>,
}

impl Home {
    /// Makes `<parent>/<server>` in the first of `parents` that the server's account can enter.
    ///
    /// # Errors
    /// When it can enter none, or the directory cannot be made.
    pub fn create(server: &'static str, user: &str, parents: &[PathBuf]) -> Result<Self, ServerError> {
        let account = Account::to_switch_to(user);
        let can_enter = |parent: &&PathBuf| {
            // Of a directory that does not exist yet, those above it count.
            let existing = parent.ancestors().find(|directory| directory.exists());
            account.is_none_or(|account| existing.is_some_and(|directory| account.can_enter(directory)))
        };
        let Some(parent) = parents.iter().find(can_enter) else {
            let tried: Vec<_> = parents.iter().map(|parent| parent.display().to_string()).collect();
            return Err(ServerError::NoPlace { server, tried: tried.join(", ") });
        };
        Self::make(Self { directory: parent.join(server), account, root: None })
    }

    /// Makes `<name>/<server>` among the homes of a root.
    ///
    /// # Errors
    /// When we are not root, or the directory cannot be made.
    pub(crate) fn create_in(root: &Root, name: &str, server: &'static str, user: &str) -> Result<Self, ServerError> {
        let Some(account) = Account::to_switch_to(user) else { return Err(ServerError::NotRoot { server }) };
        Self::make(Self { directory: root.parent(name).join(server), account: Some(account), root: Some(root.clone()) })
    }

    fn make(home: Self) -> Result<Self, ServerError> {
        home.directory.parent().map_or(Ok(()), |parent| make_directory(parent, 0o755))?;
        home.own(home.directory.clone())?;
        Ok(home)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The same path as the server itself sees it.
    pub(crate) fn seen(&self, name: &str) -> PathBuf {
        self.as_seen(&self.join(name))
    }

    fn as_seen(&self, path: &Path) -> PathBuf {
        self.root.as_ref().map_or_else(|| path.to_owned(), |root| root.seen(path))
    }

    pub(crate) fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// A directory in it, made if it is not there.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<PathBuf, ServerError> {
        self.own(self.join(name))
    }

    fn own(&self, directory: PathBuf) -> Result<PathBuf, ServerError> {
        make_directory(&directory, 0o700)?;
        self.give(&directory)?;
        Ok(directory)
    }

    fn give(&self, path: &Path) -> Result<(), ServerError> {
        let Some(account) = self.account else { return Ok(()) };
        chown(path, Some(account.uid), Some(account.gid)).map_err(ServerError::file("change the owner of", path))
    }

    /// Writes a file that only the server and root can read.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, ServerError> {
        let path = self.join(name);
        let written = self.fill(&path, text);
        written.map_err(ServerError::file("write", &path))?;
        self.give(&path)?;
        Ok(path)
    }

    fn fill(&self, path: &Path, text: &str) -> std::io::Result<()> {
        // Made anew, because an Erlang cookie is read-only even for its owner.
        if path.exists() {
            std::fs::remove_file(path)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?.write_all(text.as_bytes())
    }

    /// Writes the extra files, and returns the extra settings as lines.
    pub(crate) fn lay_out(&self, extras: &Extras) -> Result<String, ServerError> {
        for (name, text) in &extras.files {
            self.write(name, text)?;
        }
        let directory = self.as_seen(&self.directory).display().to_string();
        Ok(extras.settings.iter().map(|line| line.replace("{dir}", &directory) + "\n").collect())
    }

    /// A command that runs as the server's account, in its directory, and writes to its log.
    pub(crate) fn command(&self, program: &Path) -> Result<Command, ServerError> {
        let path = self.join(LOG);
        let log = self.log().map_err(ServerError::file("write", &path))?;
        let again = log.try_clone().map_err(ServerError::file("write", &path))?;
        let mut command = self.bare_command(program);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", self.as_seen(&self.directory));
        command.current_dir(&self.directory).stdin(Stdio::null()).stdout(log).stderr(again).process_group(0);
        Ok(command)
    }

    /// `chroot` becomes the shell and the shell becomes the program, so the process is the same all the way.
    fn bare_command(&self, program: &Path) -> Command {
        match (&self.root, self.account) {
            (Some(root), Some(Account { uid, gid })) => {
                let mut command = Command::new("chroot");
                command.arg(format!("--userspec={uid}:{gid}")).arg(root.directory()).args(["sh", "-c", FROM_HOME]).arg(program);
                command
            }
            (_, account) => {
                let mut command = Command::new(program);
                account.map(|account| command.gid(account.gid).uid(account.uid));
                command
            }
        }
    }

    fn log(&self) -> std::io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(self.join(LOG))
    }

    /// The last lines of the log, for the error that says why a server does not run.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(self.join(LOG)).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(LOG_TAIL_BYTES)..];
        String::from_utf8_lossy(tail).trim().to_owned()
    }

    /// Removes everything in it but the log.
    pub(crate) fn empty(&self) -> Result<(), ServerError> {
        let entries = std::fs::read_dir(&self.directory).map_err(ServerError::file("read", &self.directory))?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with(LOG)) {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(ServerError::file("remove", &path))?;
        }
        Ok(())
    }
}

fn make_directory(directory: &Path, mode: u32) -> Result<(), ServerError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(directory);
    made.map_err(ServerError::file("create", directory))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn home(parent: &Path) -> Home {
        Home { directory: parent.to_owned(), account: None, root: None }
    }

    #[test]
    fn files_are_private_and_can_be_written_again() {
        let parent = tempfile::tempdir().expect("a directory");
        let home = home(parent.path());
        for text in ["a", "b"] {
            home.write("secret", text).expect("written");
        }
        assert_eq!(std::fs::read_to_string(home.join("secret")).expect("there"), "b");
        assert_eq!(std::fs::metadata(home.join("secret")).expect("there").mode() & 0o777, 0o400);
    }

    #[test]
    fn extras_know_their_directory() {
        let parent = tempfile::tempdir().expect("a directory");
        let home = home(parent.path());
        let extras = Extras { settings: vec!["a = '{dir}/key'".to_owned()], files: vec![("key".to_owned(), "x".to_owned())] };
        assert_eq!(home.lay_out(&extras).expect("laid out"), format!("a = '{}/key'\n", parent.path().display()));
        assert!(home.join("key").exists());
        home.empty().expect("emptied");
        assert!(!home.join("key").exists());
    }

    #[test]
    fn in_a_root_the_server_is_told_what_it_sees() {
        let parent = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(parent.path().join("usr/lib/rabbitmq/lib/rabbitmq_server-4.3.6")).expect("made");
        let root = Root::at(parent.path()).expect("a root");
        let home = match Home::create_in(&root, "run", "rabbitmq", "nobody") {
            Err(refused) if !crate::is_root() => return assert!(refused.to_string().starts_with("only root"), "{refused}"),
            made => made.expect("made"),
        };
        assert_eq!(home.directory(), parent.path().join("srv/run/rabbitmq"));
        assert_eq!(home.seen("log"), Path::new("/srv/run/rabbitmq/log"));
        let extras = Extras { settings: vec!["a = {dir}/key".to_owned()], files: Vec::new() };
        assert_eq!(home.lay_out(&extras).expect("laid out"), "a = /srv/run/rabbitmq/key\n");
        let command = home.command(Path::new("/bin/a")).expect("a command");
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        assert_eq!(command.get_program(), "chroot");
        assert!(arguments[0].starts_with("--userspec=") && arguments.ends_with(&["/bin/a".to_owned()]), "{arguments:?}");
    }

    #[test]
    fn a_place_that_the_account_cannot_enter_is_passed_over() {
        let parent = tempfile::tempdir_in("/tmp").expect("a directory");
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o700)).expect("changed");
        let open = tempfile::tempdir_in("/tmp").expect("a directory");
        std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o755)).expect("changed");
        let parents = [parent.path().join("deeper"), open.path().join("deeper")];
        let home = Home::create("postgres", "nobody", &parents).expect("made");
        let expected = if crate::is_root() { &parents[1] } else { &parents[0] };
        assert_eq!(home.directory(), expected.join("postgres"));
        if crate::is_root() {
            let refused = Home::create("postgres", "nobody", &parents[..1]).expect_err("nowhere to go");
            assert!(refused.to_string().contains("cannot enter"), "{refused}");
        }
    }
}
