//! As whom does a server run? As ourselves; when we are root, as the system user that its package made.
//!
//! PostgreSQL refuses to run as root, and what a server writes should not belong to root.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Has no rights on any machine, and exists on all.
const NOBODY: &str = "nobody";

/// A user and a group to switch to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// Whom to switch to: nobody when we are not root, else `user` or, where there is none, `nobody`.
    pub fn to_switch_to(user: &str) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::listed(&users, user).or_else(|| Self::listed(&users, NOBODY))
    }

    fn listed(users: &str, user: &str) -> Option<Self> {
        let fields: Vec<&str> = users.lines().map(|line| line.split(':').collect()).find(|fields: &Vec<&str>| fields[0] == user)?;
        Some(Self { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    }

    /// Whether it may pass through every directory above and including `path`.
    pub fn can_enter(self, path: &Path) -> bool {
        let may_pass = |directory: &Path| {
            let Ok(found) = std::fs::metadata(directory) else { return false };
            let bit = match (found.uid() == self.uid, found.gid() == self.gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            found.mode() & bit != 0
        };
        path.ancestors().filter(|directory| !directory.as_os_str().is_empty()).all(may_pass)
    }
}

/// Whether we may become somebody else and install packages.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn users_are_found_by_name() {
        let users = "root:x:0:0:root:/:/bin/sh\npostgres:x:101:107::/var/lib/postgresql:/bin/bash\n\nbroken\n";
        assert_eq!(Account::listed(users, "postgres"), Some(Account { uid: 101, gid: 107 }));
        assert_eq!(Account::listed(users, "post"), None);
        assert_eq!(Account::listed(users, "broken"), None);
    }

    #[test]
    fn a_directory_closed_to_others_cannot_be_entered() {
        let stranger = Account { uid: 4_000_001, gid: 4_000_001 };
        let parent = tempfile::tempdir_in("/tmp").expect("a directory");
        let inner = parent.path().join("inner");
        std::fs::create_dir(&inner).expect("made");
        let close = |mode| std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(mode)).expect("changed");
        close(0o711);
        assert!(stranger.can_enter(&inner));
        close(0o700);
        assert!(!stranger.can_enter(&inner));
        let owner = std::fs::metadata(parent.path()).expect("there");
        assert!(Account { uid: owner.uid(), gid: owner.gid() }.can_enter(parent.path()));
        assert!(!stranger.can_enter(&parent.path().join("absent")));
    }
}
