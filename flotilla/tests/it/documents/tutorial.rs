//! The tutorial, word for word: its commands in one terminal, its files as they are in the checkout.

use testkit::Scratch;

use super::blocks::{Block, blocks, of_kind};
use super::live::{has, terminal};
use super::page;
use super::script::Scene;
use crate::servers::fresh_servers;

const PAGE: &str = "docs/tutorial.md";
/// What is built or started for these tests by others.
const NOT_RUN: [(&str, &str); 2] =
    [("sh build", "cargo build --release --workspace --bins\n"), ("sh servers-up", "cargo xtask services up\n")];
/// What the page shows of files: the fence names them.
const SHOWN: &str = "rust ";

/// A terminal in which the ports of the page are free ones.
fn scene(scratch: &Scratch, more: &[(&str, String)]) -> Scene {
    let mut environment = terminal(scratch.path());
    environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let replaced = ["8080", "8082", "8084", "9000"].map(|port| {
        let free = testkit::servers::free_port().expect("a free port");
        (format!("127.0.0.1:{port}"), format!("127.0.0.1:{free}"))
    });
    environment
        .extend(replaced.iter().filter(|(said, _)| said.ends_with("8080")).map(|(_, url)| ("FLOTILLA_LISTEN".to_owned(), url.clone())));
    Scene { directory: scratch.path().to_owned(), environment, replaced: replaced.to_vec() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tutorial_works_word_for_word() {
    if !has("curl") {
        testkit::skip!("curl", "there is no `curl`");
    }
    if testkit::python::interpreter().is_none() {
        testkit::skip!("python", testkit::python::HOW);
    }
    let scratch = Scratch::new();
    let examples = super::root().join("examples").canonicalize().expect("it is there").display().to_string();
    let mut scene = scene(&scratch, &[]);
    scene.replaced.push(("$CHECKOUT/examples".to_owned(), examples));
    let printed = scene.run(PAGE, &of_kind(&page(PAGE), "sh")).await;
    for words in ["succeeded", "hello", "Hello, Ada!", "refused, with code 3", "nobody"] {
        assert!(printed.contains(words), "`{words}` is missing in\n{printed}");
    }
}

/// The last part, on servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_of_the_tutorial_works_in_a_fleet() {
    let servers = fresh_servers!();
    for program in ["curl", "openssl"] {
        if !has(program) {
            testkit::skip!(program, "it is not installed");
        }
    }
    let scratch = Scratch::new();
    // Those that `. target/services/env` would set.
    let settings: Vec<(&str, String)> = servers.settings().into_iter().filter(|(name, _)| *name != "FLOTILLA_SECRET_KEY").collect();
    let printed = scene(&scratch, &settings).run(PAGE, &of_kind(&page(PAGE), "sh servers")).await;
    assert!(printed.contains("Hello, Grace!"), "{printed}");
}

#[test]
fn what_is_not_run_is_what_others_do_for_the_tests() {
    let page = page(PAGE);
    for (info, command) in NOT_RUN {
        let found: Vec<Block> = of_kind(&page, info);
        assert!(found.len() == 1 && found[0].text.contains(command), "{info}: {found:?}");
    }
    let known = |block: &Block| {
        ["sh", "sh servers", "text", "toml"].contains(&block.info.as_str()) || NOT_RUN.iter().any(|(info, _)| *info == block.info)
    };
    let unknown: Vec<Block> = blocks(&page).into_iter().filter(|block| !known(block) && !block.info.starts_with(SHOWN)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Readers compare what they see with what they have.
#[test]
fn the_files_of_the_tutorial_are_those_of_the_checkout() {
    let shown: Vec<Block> = blocks(&page(PAGE)).into_iter().filter(|block| block.info.starts_with(SHOWN)).collect();
    assert!(shown.len() >= 3, "the page shows too few files");
    for Block { info, line, text } in shown {
        let path = info.trim_start_matches(SHOWN);
        assert!(page(path).contains(&text), "{PAGE}:{line} is not what is in {path}");
    }
}
