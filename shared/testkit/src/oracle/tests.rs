//! Does each word have its rule? A small history for each, in which nothing else is wrong.

mod property;

use super::*;

const BOUNDS: Bounds = Bounds { now_ms: 100_000, stuck_after_ms: 30_000, late_by_ms: 1_000 };

/// A job `j` of the submission `s` that was accepted at 1000.
fn accepted() -> Oracle {
    let mut oracle = Oracle::new();
    oracle.accepted("s", &["j".to_owned()], 1_000);
    oracle
}

/// The same, ended at 3000.
fn ended() -> Oracle {
    let mut oracle = accepted();
    oracle.found(found("j"));
    oracle
}

fn found(job: &str) -> Found {
    Found {
        job: job.to_owned(),
        submission: Some("s".to_owned()),
        ended_at_ms: Some(3_000),
        deadline_ms: Some(4_000),
        moved_at_ms: 3_000,
        ends: 1,
    }
}

fn sent(policy: Policy, at_ms: u64) -> Sent {
    Sent { key: "j".to_owned(), job: "j".to_owned(), name: "post".to_owned(), policy, body: 7, at_ms, answered_at_ms: None }
}

/// Of whom which words are said.
fn said(oracle: &Oracle) -> Vec<(&'static str, String)> {
    let verdict = oracle.verdict(BOUNDS);
    Word::ALL
        .into_iter()
        .flat_map(|word| verdict.of(word).iter().map(move |finding| (word.name(), finding.id.clone())).collect::<Vec<_>>())
        .collect()
}

fn says(oracle: &Oracle, expected: &[(&'static str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(word, id)| (*word, (*id).to_owned())).collect();
    assert_eq!(said(oracle), expected, "{}", oracle.verdict(BOUNDS));
}

#[test]
fn what_ended_is_fine() {
    let mut oracle = ended();
    oracle.sent(sent(Policy::Hold, 2_000));
    oracle.confirmed("j", "post", 2_500);
    oracle.owes("j", "post");
    oracle.settles("succeeded", 1, 1);
    says(&oracle, &[]);
    assert!(oracle.verdict(BOUNDS).is_clean());
}

#[test]
fn lost_is_what_was_accepted_and_has_not_ended() {
    says(&accepted(), &[("lost", "j")]);
    let mut oracle = accepted();
    oracle.found(Found { ended_at_ms: None, moved_at_ms: 99_000, ..found("j") });
    says(&oracle, &[("lost", "j")]);
    let mut oracle = ended();
    oracle.owes("j", "post");
    says(&oracle, &[("lost", "j")]);
}

#[test]
fn stuck_is_what_nothing_moves() {
    let mut oracle = accepted();
    oracle.found(Found { ended_at_ms: None, moved_at_ms: 70_000, ..found("j") });
    says(&oracle, &[("lost", "j"), ("stuck", "j")]);
}

#[test]
fn late_is_what_ended_long_after_its_deadline() {
    for (ended_at_ms, late) in [(5_000, false), (5_001, true)] {
        let mut oracle = accepted();
        oracle.found(Found { ended_at_ms: Some(ended_at_ms), ..found("j") });
        says(&oracle, if late { &[("late", "j")] } else { &[] });
    }
}

#[test]
fn a_confirmed_effect_is_not_made_again() {
    for (again_ms, expected) in [(2_500, "repeated"), (2_501, "doubled")] {
        let mut oracle = ended();
        oracle.fault("kill", 1_500, 9);
        oracle.sent(sent(Policy::RepeatSameKey, 1_200));
        oracle.sent(sent(Policy::RepeatSameKey, again_ms));
        oracle.confirmed("j", "post", 2_500);
        says(&oracle, &[(expected, "j")]);
        // Whatever the order in which it is told.
        oracle.sent.values_mut().for_each(|all| all.reverse());
        says(&oracle, &[(expected, "j")]);
    }
}

#[test]
fn only_what_may_be_repeated_is() {
    for policy in [Policy::Hold, Policy::Verify] {
        let mut oracle = ended();
        oracle.fault("kill", 1_500, 9);
        oracle.sent(sent(policy, 1_200));
        oracle.sent(sent(policy, 2_000));
        says(&oracle, &[("doubled", "j")]);
    }
}

#[test]
fn no_more_is_repeated_than_was_in_flight() {
    let history = |faults: &[(u64, usize)]| {
        let mut oracle = ended();
        faults.iter().for_each(|(at_ms, in_flight)| oracle.fault("kill", *at_ms, *in_flight));
        [1_200, 2_000, 2_200].into_iter().for_each(|at_ms| oracle.sent(sent(Policy::RepeatSameKey, at_ms)));
        oracle
    };
    says(&history(&[(1_500, 2)]), &[("repeated", "j"), ("repeated", "j")]);
    says(&history(&[(1_500, 1), (2_100, 1)]), &[("repeated", "j"), ("repeated", "j")]);
    says(&history(&[(1_500, 1)]), &[("doubled", "j"), ("repeated", "j")]);
    // A fault explains only what comes after it.
    says(&history(&[(2_100, 2)]), &[("doubled", "j"), ("repeated", "j")]);
    says(&history(&[]), &[("doubled", "j"), ("doubled", "j")]);
}

#[test]
fn one_effect_has_one_key_and_one_body() {
    let again = |sent: Sent| {
        let mut oracle = ended();
        oracle.fault("kill", 1_500, 9);
        oracle.sent(self::sent(Policy::RepeatSameKey, 1_200));
        oracle.sent(sent);
        oracle
    };
    let fresh = || sent(Policy::RepeatSameKey, 2_000);
    says(&again(fresh()), &[("repeated", "j")]);
    says(&again(Sent { key: "k".to_owned(), ..fresh() }), &[("doubled", "j")]);
    says(&again(Sent { key: "j.r1".to_owned(), body: 8, ..fresh() }), &[]);
    says(&again(Sent { key: "j_r12".to_owned(), body: 8, ..fresh() }), &[]);
    says(&again(Sent { key: "j_r".to_owned(), ..fresh() }), &[("doubled", "j")]);
    says(&again(Sent { body: 8, ..fresh() }), &[("doubled", "j"), ("repeated", "j")]);
    says(&again(Sent { name: "other".to_owned(), body: 8, ..fresh() }), &[]);
    let mut oracle = again(Sent { job: "i".to_owned(), ..fresh() });
    oracle.accepted("t", &["i".to_owned()], 1_000);
    oracle.found(found("i"));
    says(&oracle, &[("doubled", "j")]);
}

#[test]
fn a_job_ends_once() {
    let mut oracle = accepted();
    oracle.found(Found { ends: 2, ..found("j") });
    says(&oracle, &[("doubled", "j")]);
    let mut oracle = ended();
    oracle.settles("succeeded", 2, 1);
    says(&oracle, &[("doubled", "succeeded")]);
}

#[test]
fn a_submission_has_one_set_of_jobs() {
    let mut oracle = ended();
    oracle.accepted("s", &["j".to_owned()], 2_000);
    says(&oracle, &[]);
    oracle.accepted("s", &["i".to_owned()], 2_000);
    oracle.found(found("i"));
    says(&oracle, &[("doubled", "s")]);
}

#[test]
fn nobody_is_a_stranger_whose_submission_is_unknown() {
    let unknown = |of: fn(&mut Oracle)| {
        let mut oracle = Oracle::new();
        of(&mut oracle);
        oracle.found(found("j"));
        oracle
    };
    says(&unknown(|oracle| oracle.unknown("s")), &[]);
    says(&unknown(|oracle| oracle.refused("s")), &[("stranger", "j")]);
    says(&unknown(|_| {}), &[("stranger", "j")]);
    says(&unknown(|oracle| oracle.accepted("s", &[], 0)), &[("stranger", "j")]);
    // A refusal of what was unknown before tells nothing of the first time; an answer does.
    for first_unknown in [true, false] {
        let mut oracle = Oracle::new();
        if first_unknown {
            oracle.unknown("s")
        } else {
            oracle.refused("s")
        }
        if first_unknown {
            oracle.refused("s")
        } else {
            oracle.unknown("s")
        }
        oracle.found(found("j"));
        says(&oracle, &[]);
        oracle.accepted("s", &[], 0);
        says(&oracle, &[("stranger", "j")]);
    }
    let mut oracle = Oracle::new();
    oracle.sent(sent(Policy::Hold, 2_000));
    says(&oracle, &[("stranger", "j")]);
}

#[test]
fn the_table_shows_ten() {
    let mut oracle = Oracle::new();
    let ids: Vec<_> = (10..22).map(|number| format!("job-{number}")).collect();
    oracle.accepted("s", &ids, 1_000);
    let text = oracle.verdict(BOUNDS).to_string();
    assert!(
        text.starts_with("NOT CLEAN: 12 jobs, 0 effects in 0 requests, 0 faults with 0 jobs in flight\nlost         12\n  job-10  "),
        "{text}"
    );
    assert!(
        text.contains("job-19  was accepted 99000 ms ago") && text.contains("and 2 more\ndoubled       0\n") && !text.contains("job-20"),
        "{text}"
    );
}

#[test]
fn the_judges_lines_are_read() {
    let mut oracle = accepted();
    let line = |at_ms: u64| {
        format!(r#"{{"n":0,"id":"j","job":"j","name":"post","policy":"hold","attempt":1,"accepted":1,"uri":"/","body":7,"at_ms":{at_ms}}}"#)
    };
    oracle.judge_line(&line(1_200)).expect("read");
    oracle.judge_line(r#"{"answered":0,"at_ms":1300}"#).expect("read");
    let made = Sent { answered_at_ms: Some(1_300), ..sent(Policy::Hold, 1_200) };
    assert_eq!(oracle.sent.values().flatten().collect::<Vec<_>>(), [&made]);
    // Of a judge that was started again.
    oracle.judge_line(&line(2_000)).expect("read");
    oracle.judge_line(r#"{"answered":0,"at_ms":2100}"#).expect("read");
    assert_eq!(oracle.sent.values().flatten().map(|sent| sent.answered_at_ms).collect::<Vec<_>>(), [Some(1_300), Some(2_100)]);
    for bad in ["{", r#"{"answered":9,"at_ms":1}"#, r#"{"answered":0}"#, &line(1).replace("hold", "guess"), &line(1).replace("body", "b")] {
        oracle.judge_line(bad).expect_err(bad);
    }
}
