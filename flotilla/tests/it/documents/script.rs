//! The commands of a page as one script for bash, in which every `curl` must be answered as the page says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::ChildGuard;

use super::blocks::Block;
use crate::process::text;

/// All commands of a page together, on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(240);
/// What an answer is otherwise.
const SUCCESS: &str = "2[0-9][0-9]";

/// The way `curl` is called here: the same, and whoever is answered otherwise than the page says ends the script.
const PRELUDE: &str = r#"set -euo pipefail
curl() {
    local head status
    head=$(mktemp)
    command curl --max-time 30 --noproxy '*' --dump-header "$head" "$@"
    status=$(awk '/^HTTP\// { status = $2 } END { print status }' "$head")
    rm -f "$head"
    if ! [[ $status =~ ^($expected)$ ]]; then
        printf '\n%s: answered with %s, not %s\n' "$place" "$status" "$expected" >&2
        return 1
    fi
}
trap 'code=$?; printf "%s: ended with %s: %s\n" "${place-the prelude}" "$code" "$BASH_COMMAND" >&2; exit $code' ERR
set -E
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
"#;

/// Where a script runs, and what in it is called otherwise there.
pub struct Scene {
    pub directory: PathBuf,
    pub environment: Vec<(String, String)>,
    /// What the page says, and what is meant here.
    pub replaced: Vec<(String, String)>,
}

impl Scene {
    /// Runs the blocks in order, and returns what they printed.
    ///
    /// # Panics
    /// When one of the commands fails, with everything that was said.
    pub async fn run(&self, page: &str, blocks: &[Block]) -> String {
        assert!(!blocks.is_empty(), "{page} has nothing to run");
        let script = self.directory.join("script.sh");
        std::fs::write(&script, self.script(page, blocks)).expect("writable");
        let mut command = Command::new("bash");
        command.arg(&script).current_dir(&self.directory).env_clear().envs(self.environment.iter().cloned());
        let (out, err) = (self.directory.join("script.out"), self.directory.join("script.err"));
        let file = |path: &Path| Stdio::from(std::fs::File::create(path).expect("writable"));
        let mut child = ChildGuard::spawn(command.stdout(file(&out)).stderr(file(&err)));
        let status = child.end(ENDS_WITHIN).await;
        let read = |path: &Path| text(&std::fs::read(path).unwrap_or_default());
        assert!(status.success(), "{page}: {status}\n--- it said\n{}\n--- it printed\n{}", read(&err), read(&out));
        read(&out)
    }

    fn script(&self, page: &str, blocks: &[Block]) -> String {
        let mut script = PRELUDE.to_owned();
        for block in blocks {
            for (number, command) in commands(block) {
                let expected = expected(&command).unwrap_or(SUCCESS);
                script += &format!("place='{page}:{number}' expected='{expected}'\n{command}\n");
            }
        }
        self.replaced.iter().fold(script, |script, (said, meant)| script.replace(said, meant))
    }
}

/// The commands of a block, each with the number of its first line. One goes on while a line ends in `\` or `|`, or a quote is open.
fn commands(block: &Block) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (index, line) in block.text.lines().enumerate() {
        match commands.last_mut().filter(|_| is_open) {
            Some((_, command)) => command.extend(["\n", line]),
            None => commands.push((block.line + index, line.to_owned())),
        }
        let command = &commands.last().expect("there is one").1;
        is_open = line.ends_with(['\\', '|']) || command.matches('\'').count() % 2 == 1;
    }
    commands
}

/// The status that a comment of the command names: `# 409`.
fn expected(command: &str) -> Option<&str> {
    let (_, comment) = command.rsplit_once("# ")?;
    comment.get(..3).filter(|status| command.contains("curl") && status.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn commands_go_over_lines_and_name_their_status() {
    let block = Block { info: "sh".to_owned(), line: 7, text: "a |\n  b\nc 'd\ne'\ncurl f   # 409 illegal\n".to_owned() };
    let found = commands(&block);
    assert_eq!(found, [(7, "a |\n  b".to_owned()), (9, "c 'd\ne'".to_owned()), (11, "curl f   # 409 illegal".to_owned())]);
    assert_eq!(found.iter().map(|(_, command)| expected(command)).collect::<Vec<_>>(), [None, None, Some("409")]);
}

#[tokio::test]
async fn a_command_that_fails_ends_the_script_and_is_named() {
    let scratch = testkit::Scratch::new();
    let environment = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
    let scene = Scene { directory: scratch.path().to_owned(), environment, replaced: vec![("said".to_owned(), "false".to_owned())] };
    let block = |text: &str| Block { info: "sh".to_owned(), line: 3, text: text.to_owned() };
    assert_eq!(scene.run("a.md", &[block("echo one\n"), block("echo two\n")]).await, "one\ntwo\n");
    let script = scene.script("a.md", &[block("said\n"), block("echo three\n")]);
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(text(&output.stderr).contains("a.md:3: ended with 1"), "{}", text(&output.stderr));
}
