//! Lines as a person types them.

use super::*;

fn of(line: &str) -> Arguments {
    Arguments::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).expect("understood")
}

fn ran(line: &str) -> String {
    of(line).run(&[]).join(" ")
}

#[test]
fn without_arguments_the_whole_workspace_runs() {
    assert_eq!(ran(""), "test --workspace --no-fail-fast");
    assert_eq!(of("--").build().join(" "), "test --workspace --no-run --message-format=json-render-diagnostics");
}

#[test]
fn a_named_package_replaces_the_workspace() {
    assert_eq!(ran("-- -p producer"), "test --no-fail-fast -p producer");
    assert_eq!(ran("--package=producer"), "test --no-fail-fast --package=producer");
}

#[test]
fn packages_are_known_when_nothing_else_runs() {
    let packages = |line: &str| of(line).packages().map(|packages| packages.join(" "));
    assert_eq!(packages("-- -p producer --package=store --package domain -pkinds retry").as_deref(), Some("producer store domain kinds"));
    assert_eq!(packages(""), None);
    assert_eq!(packages("retry"), None);
    assert_eq!(packages("-p producer --workspace"), None);
    assert_eq!(packages("-p store-*"), None);
}

#[test]
fn services_can_be_declined() {
    assert!(of("-- -p producer").starts_services());
    assert!(!of("--no-services").starts_services());
    assert_eq!(ran("--no-services -- -p producer"), "test --no-fail-fast -p producer");
}

#[test]
fn a_filter_and_arguments_of_the_tests_are_passed_on() {
    let expected = "test --workspace --no-fail-fast retry -- --nocapture";
    assert_eq!(ran("-- retry -- --nocapture"), expected);
    assert_eq!(ran("retry -- --nocapture"), expected);
}

#[test]
fn our_options_come_first_in_any_order() {
    let read = of("--classic --rabbitmq 4.3 --no-faults -- -p chaos wiped");
    assert!(read.is_classic() && read.leaves_out_faults() && read.starts_services());
    assert_eq!(read.rabbitmq(), Some(Version::named("4.3").expect("known")));
    assert_eq!(read.run(&["--test".to_owned(), "matrix".to_owned()]).join(" "), "test --no-fail-fast --test matrix -p chaos wiped");
    assert!(Arguments::read(&["--rabbitmq".to_owned()]).is_err());
    assert!(Arguments::read(&["--rabbitmq".to_owned(), "3.9".to_owned()]).is_err());
}

#[test]
fn the_whole_run_is_one_without_any_choice() {
    assert!(of("").is_whole() && of("--").is_whole());
    for line in ["retry", "-- -p chaos", "--no-services", "--classic", "-- -- --nocapture"] {
        assert!(!of(line).is_whole(), "{line}");
    }
}

#[test]
fn binaries_that_a_person_names_are_left_to_the_person() {
    for line in ["-- -p chaos --test matrix", "--lib", "-- --test=it", "-- --doc"] {
        assert!(of(line).names_targets(), "{line}");
    }
    for line in ["", "-- -p chaos wiped", "-- retry -- --test-threads 1"] {
        assert!(!of(line).names_targets(), "{line}");
    }
}
