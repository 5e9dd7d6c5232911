//! How many connections can the system carry for this process? Each is an open file, and so is much else.

/// Files for everything but a server's connections: the store's, the broker's, logs, a request's own.
const KEPT_FOR_OTHERS: usize = 128;
/// Fewer places would answer nobody.
const PLACES_MIN: usize = 16;

/// As many as wanted, or as can be had: without a file left, the process could not even reach its store.
pub(super) fn affordable(wanted: usize) -> usize {
    let files = std::fs::read_to_string("/proc/self/limits").ok().and_then(|limits| open_files(&limits));
    let places = files.map_or(wanted, |files| files.saturating_sub(KEPT_FOR_OTHERS).clamp(PLACES_MIN, wanted.max(PLACES_MIN)));
    if places < wanted {
        tracing::warn!(
            count = places,
            "fewer connections are held open than could be allowed; `ulimit -n` says how many files may be open"
        );
    }
    places.min(wanted)
}

/// The soft limit, which is the one that counts; `None`: there is none, or it cannot be told.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             127                  128                  processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn no_more_is_afforded_than_wanted() {
        assert_eq!((affordable(4), affordable(PLACES_MIN)), (4, PLACES_MIN));
    }
}
