//! Which cases are there? The list, and the macro that makes a test of each.

/// Instantiates every case as a test of its own, in a module per role: `store::contract_suite!(SqliteFixture::new().await);`
/// makes `claim::two_workers_race_for_one_job_and_one_wins` and the others in the module that invokes it.
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::contract_suite!($fixture, {});
    };
    // `before` runs at the start of each test, and may return from it: for stores that may not be there.
    ($fixture:expr, $before:block) => {
        $crate::store_contract_tests! { $fixture, $before;
            enqueue: [
                a_job_due_now_is_queued_and_emitted,
                a_submission_is_kept_as_it_was,
                a_job_due_later_waits_for_time,
                a_job_due_in_the_past_is_queued,
                a_batch_reports_its_earliest_timer,
                a_batch_keeps_its_order_and_is_emitted_by_class,
                the_largest_batch_is_taken_whole,
                an_empty_batch_records_nothing,
                a_batch_is_recorded_whole_or_not_at_all,
                a_repeated_submission_is_taken_once,
                what_was_accepted_survives_a_restart,
                a_payload_is_kept_byte_for_byte,
                the_largest_payload_is_kept,
                every_priority_has_its_class,
                queues_exist_once_declared_or_used_by_a_kind,
                tenants_submit_side_by_side,
                the_clock_moves_forward,
            ],
            group: [
                concurrent_submissions_succeed_and_a_bad_one_fails_alone,
                a_broken_call_fails_alone,
                a_dropped_submission_is_whole_or_nothing,
            ],
            dedup: [
                a_repeated_key_replays_the_first_job,
                a_key_replays_a_job_that_has_ended,
                a_key_of_another_request_is_refused,
                one_call_may_use_a_key_twice,
                remembered_keys_are_told_in_order,
                an_expired_key_is_taken_over,
                keys_and_windows_are_the_tenants_own,
                the_two_spaces_do_not_mix,
                a_replay_comes_before_a_unique_conflict,
                a_conflicts_key_is_remembered,
                an_open_window_gives_the_first_job,
                a_window_with_a_length_outlives_its_job,
                a_window_with_a_length_closes_under_a_live_job,
                a_window_until_the_end_closes_with_every_end,
                a_window_until_the_end_stays_open_while_the_job_lives,
                a_race_for_one_key_makes_one_job,
                a_race_for_one_window_makes_one_job,
            ],
            claim: [
                two_workers_race_for_one_job_and_one_wins,
                overlapping_claims_share_the_jobs_out,
                a_claim_carries_the_job,
                every_claim_is_a_new_run,
                a_claim_answers_in_the_order_of_asking,
                a_job_named_twice_is_claimed_once,
                what_is_not_queued_is_noise,
                a_hint_of_another_class_is_noise,
                an_empty_claim_takes_nothing,
                the_largest_claim_is_taken_whole,
                a_worker_without_a_live_lease_is_fenced,
                a_retired_worker_is_fenced_at_once,
                a_fenced_claim_keeps_the_ledger,
                claimed_jobs_are_not_emitted_again,
                a_late_job_expires_at_the_claim,
                a_started_job_is_never_late,
                the_due_time_is_that_of_the_first_start,
            ],
            adopt: [
                a_lost_claim_is_adopted,
                adopting_tells_the_present,
                a_rescued_claim_is_not_adopted,
                a_dropped_claim_is_whole_or_nothing,
            ],
            lease: [
                a_registered_worker_is_listed_with_a_lease,
                a_renewal_extends_the_lease,
                a_lease_that_nobody_acted_on_can_be_renewed,
                renewing_after_a_rescue_is_fenced,
                a_fenced_renewal_writes_nothing,
                strangers_are_handed_back,
                a_stranger_with_a_cancel_request_is_cancelled,
                what_started_after_the_look_is_no_stranger,
                claims_in_flight_may_be_named,
                another_workers_claims_are_no_strangers,
                renewals_tell_of_cancels,
                renewals_carry_progress,
                a_retired_workers_jobs_are_rescued,
                kinds_are_known_from_their_workers,
                workers_count_what_they_run,
                leases_survive_a_restart,
            ],
            settle: [
                success_ends_the_job,
                success_needs_no_result,
                a_death_keeps_its_failure,
                a_retry_waits_until_its_time,
                a_deferral_is_free,
                a_deferral_can_wait_for_a_key,
                a_stale_settlement_is_lost,
                a_settlement_after_a_rescue_is_lost_whatever_it_says,
                a_settlement_needs_the_right_worker_and_run,
                one_call_settles_the_good_and_names_the_lost,
                settling_needs_no_live_lease,
                workers_settle_side_by_side,
                hostile_text_does_not_stop_a_settlement,
                attempts_keep_their_logs,
            ],
            deferral: [
                deferrals_are_not_free_for_ever,
                hand_backs_are_not_free_for_ever_and_a_replay_makes_them_so_again,
            ],
            repeat: [
                a_repeated_settlement_counts_once,
                a_settlement_doubled_in_one_call_counts_once,
                a_repeated_settlement_of_a_cancelled_job_counts_once,
                a_settlement_of_another_run_is_no_repetition,
                the_first_end_stays,
                a_repetition_leaves_the_logs_alone,
                concurrent_settlements_count_once,
            ],
            cancel: [
                a_job_that_does_not_run_is_cancelled_at_once,
                a_running_job_is_asked_to_stop,
                success_wins_over_a_cancel,
                a_cancel_wins_over_every_other_end,
                a_cancel_wins_over_a_rescue,
                a_parked_job_is_cancelled,
                an_ended_job_cannot_be_cancelled,
                a_foreign_job_cannot_be_cancelled,
                a_cancel_is_on_record,
                a_cancel_races_a_claim,
                a_cancel_races_a_settlement,
            ],
            reprioritize: [
                a_queued_job_moves_into_another_class,
                a_moved_job_is_sent_again_in_its_new_class,
                a_waiting_job_keeps_its_time,
                a_parked_job_keeps_its_key,
                the_same_priority_changes_nothing,
                what_runs_or_ended_keeps_its_class,
                a_foreign_job_cannot_be_steered,
                acts_are_on_record,
                a_move_races_a_claim,
            ],
            reschedule: [
                a_queued_job_waits_until_its_new_time,
                a_waiting_job_waits_until_its_new_time,
                a_retry_can_be_rescheduled,
                a_time_that_has_passed_means_now,
                what_waits_for_a_time_runs_now,
                a_queued_job_runs_now_anyway,
                what_has_no_time_cannot_be_given_one,
                a_moved_job_still_expires,
                acts_race_the_promoter,
            ],
            operation: [
                beginning_an_operation_does_nothing_yet,
                a_filter_names_the_jobs_it_would_list,
                ids_that_name_nothing_are_skipped,
                dead_letters_are_replayed_by_what_they_died_of,
                what_comes_later_is_left_alone,
                every_act_skips_those_that_do_not_allow_it,
                operations_are_the_tenants_own,
                operations_are_shown_for_a_while,
            ],
            progress: [
                a_step_is_bounded_and_the_next_goes_on,
                a_rare_filter_takes_several_steps,
                operations_take_turns,
                concurrent_steps_do_not_double,
                an_operation_races_the_workers,
                an_operation_goes_on_after_a_restart,
            ],
            canary: [
                canaries_go_ahead_and_the_rest_follows,
                a_dead_canary_halts_the_operation,
                a_cancelled_canary_halts_the_operation,
                canaries_that_never_end_halt_the_operation,
                a_canary_that_is_gone_halts_the_operation,
                a_small_target_needs_no_canaries,
                skipped_jobs_are_no_canaries,
                others_get_on_while_canaries_run,
            ],
            park: [
                parking_before_a_claim_costs_nothing,
                a_job_parked_until_a_time_falls_due,
                only_queued_jobs_of_the_class_are_parked,
                jobs_without_a_worker_wait_for_one_that_knows_them,
                a_release_frees_the_known_kinds_only,
                a_worker_frees_no_other_reason,
                parked_jobs_are_freed_in_order,
                freed_jobs_are_emitted_by_class,
                a_parked_job_can_expire,
                parked_jobs_survive_a_restart,
            ],
            timers: [
                nothing_is_promoted_before_its_time,
                due_jobs_are_promoted_and_emitted,
                promoting_is_bounded_and_goes_on,
                old_timers_are_noise,
                a_timer_does_not_free_a_parked_job,
                late_jobs_expire,
                a_job_both_due_and_late_expires,
                a_started_job_does_not_expire,
                a_crashed_job_does_not_expire,
                a_deferred_job_does_not_expire,
                a_start_that_no_handler_saw_does_not_count,
                a_time_that_passed_unseen_is_not_forgotten,
                concurrent_promoters_share_the_work,
                timers_survive_a_restart,
                queued_jobs_are_emitted_again_after_a_restart,
                emitting_again_is_bounded,
            ],
            rescue: [
                a_dead_workers_job_is_given_back,
                rescuing_twice_changes_nothing,
                only_running_jobs_of_dead_workers_are_touched,
                a_long_job_under_a_live_lease_is_left_alone,
                the_third_crash_kills,
                a_crash_at_the_last_attempt_kills,
                a_rescue_is_on_the_timeline,
                rescuing_is_bounded_and_goes_on,
                concurrent_rescuers_count_a_crash_once,
                a_settlement_races_a_rescue,
                a_claim_does_not_slip_behind_its_rescue,
                a_dead_worker_stays_dead,
                predecessors_are_buried_after_a_restart,
                every_tenants_jobs_are_rescued,
            ],
            effects: [
                a_confirmed_effect_is_never_made_again,
                confirmed_is_final,
                an_intent_of_an_earlier_run_is_unknown,
                beginning_twice_in_one_run_is_one_intent,
                a_failed_effect_may_be_made_again,
                an_unknown_effect_stays_unknown,
                effects_are_told_apart_by_job_and_name,
                an_edited_replay_makes_new_effects,
                a_plain_replay_keeps_its_effects,
                beginning_is_fenced,
                a_run_that_is_over_is_fenced,
            ],
            replay: [
                every_unsuccessful_end_can_be_replayed,
                what_succeeded_or_lives_cannot_be_replayed,
                a_foreign_job_cannot_be_replayed,
                an_edit_changes_the_payload_and_the_stable_key,
                a_replayed_job_has_its_attempts_again,
                a_replayed_job_is_due_anew,
                a_replayed_job_does_not_expire,
                a_settlement_from_before_the_replay_is_lost,
                concurrent_replays_replay_once,
                a_replay_is_on_record,
                a_replayed_job_ends_once_more,
            ],
            listing: [
                pages_cover_everything_once,
                new_jobs_do_not_disturb_the_pages,
                filters_show_what_they_name,
                times_bound_a_listing,
                a_rare_filter_returns_short_pages,
                several_jobs_are_read_in_order,
                another_tenants_job_does_not_exist,
                an_unknown_job_has_no_past,
                the_timeline_tells_a_retried_jobs_life,
                timelines_are_legal_walks,
                depths_count_the_queued_by_class,
                a_page_shows_all_but_what_may_be_large,
            ],
            search: [
                a_text_is_found_wherever_it_is,
                a_failed_job_is_found_by_its_error,
                a_job_is_found_by_the_beginning_of_its_id,
                a_search_narrows_other_filters,
            ],
            dead_letters: [
                a_dead_letter_tells_of_the_death,
                dead_letter_pages_cover_everything_once,
                dead_letter_filters_show_what_they_name,
                a_replayed_job_is_dead_no_more,
                deaths_that_look_alike_are_one_group,
                rare_dead_jobs_are_found_at_once,
            ],
            throughput: [
                attempts_are_counted_by_how_they_end,
                what_was_put_off_is_not_counted,
                a_repeated_end_is_counted_once,
                each_minute_has_its_own_figures,
                figures_are_kept_for_a_while,
            ],
            audit: [
                audit_pages_cover_everything_once,
                audit_filters_show_what_they_name,
            ],
            access: [
                a_key_is_kept_as_created,
                keys_are_listed_newest_first,
                a_revoked_key_says_so,
                a_foreign_key_cannot_be_revoked,
                the_first_endpoint_of_a_name_stays,
                endpoints_are_the_tenants_own,
                endpoints_are_disabled_and_enabled,
                every_change_is_on_record,
                what_changes_nothing_is_not_on_record,
            ],
            retention: [
                ended_jobs_are_kept_as_long_as_promised,
                live_jobs_are_never_deleted,
                retention_counts_from_the_end,
                a_replayed_job_is_kept,
                what_belongs_to_a_job_goes_with_it,
                a_job_is_kept_as_long_as_a_key_names_it,
                what_is_kept_for_its_key_does_not_hide_the_rest,
                deleting_is_bounded_and_goes_on,
                audit_rows_are_kept_long_and_not_for_ever,
                expired_keys_and_dead_workers_are_forgotten,
            ],
            callback: [
                every_end_makes_one_callback,
                nobody_is_told_unasked,
                a_callback_names_the_job_and_the_url,
                a_callback_is_of_the_jobs_tenant,
                what_is_no_end_makes_no_callback,
                a_repeated_settlement_makes_one_callback,
                each_end_of_a_replayed_job_is_told,
                a_callback_runs_like_any_job,
            ],
            walk: [
                a_first_random_walk_keeps_every_promise,
                a_second_random_walk_keeps_every_promise,
                a_third_random_walk_keeps_every_promise,
            ],
        }
    };
}

/// Like [`contract_suite!`], for the ledger of engines that have one.
#[macro_export]
macro_rules! ledger_suite {
    ($fixture:expr, $before:block) => {
        $crate::store_contract_tests! { $fixture, $before;
            ledger: [
                what_is_taken_in_has_its_rows,
                what_falls_due_has_its_rows,
                what_people_and_ends_queue_has_its_rows,
                a_claim_deletes_exactly_its_hints,
                a_fenced_claim_leaves_the_rows,
                unconfirmed_rows_come_up_after_a_while,
                sending_again_backs_off,
                sending_again_is_bounded_and_oldest_first,
                concurrent_schedulers_send_different_rows,
                rows_without_queued_jobs_go,
                confirmed_rows_are_not_sent_again,
                confirming_what_is_gone_is_no_error,
                rows_survive_a_restart,
            ],
            reclass: [
                a_moved_job_has_a_row_of_its_new_class,
                those_that_stay_keep_their_row,
                what_is_put_off_is_not_sent_again,
                what_an_operation_queues_has_its_rows,
            ],
            missing: [
                what_came_back_is_sent_again_at_once,
                a_lost_class_is_sent_again_up_to_its_loss,
                a_drained_class_spares_what_workers_hold,
                doubting_is_bounded_and_goes_on,
                what_workers_have_passed_is_sent_again,
                what_was_published_lately_is_left_alone,
                what_workers_have_not_reached_is_left_alone,
                one_renewal_says_too_little,
                what_a_worker_holds_is_left_alone,
                what_a_worker_has_let_go_is_sent_again,
                classes_are_reconciled_apart,
                passed_rows_without_queued_jobs_go,
                reconciling_is_bounded_and_ends,
            ],
            notice: [
                a_death_is_announced_once,
                a_second_death_is_announced_again,
                a_replayed_death_is_not_announced,
                deaths_are_announced_oldest_first,
                poison_is_kept_as_it_came,
                poison_is_bounded,
            ],
        }
    };
}

/// One test per case; not for use outside [`contract_suite!`] and [`ledger_suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! store_contract_tests {
    ($fixture:expr, $before:block; $($role:ident: [$($case:ident,)*],)*) => {
        $($crate::store_contract_role! { $fixture, $before; $role: [$($case,)*] })*
    };
}

/// One module per role; not for use outside [`contract_suite!`] and [`ledger_suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! store_contract_role {
    ($fixture:expr, $before:block; $role:ident: [$($case:ident,)*]) => {
        mod $role {
            #[allow(unused_imports, reason = "the fixture's expression may name everything by full paths")]
            use super::*;

            $(
                #[test]
                fn $case() {
                    $before
                    $crate::contract::run(stringify!($case), async { $fixture }, $crate::contract::$role::$case);
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A case that is written but not in the list above would never run.
    #[test]
    fn every_case_is_in_the_list() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let list = std::fs::read_to_string(source.join("contract/suite.rs")).expect("this file");
        let mut missing = Vec::new();
        for entry in std::fs::read_dir(source.join("contract")).expect("the cases") {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("text");
            for line in text.lines().filter(|line| line.ends_with("(f: &mut dyn Fixture) {")) {
                let Some(case) = line.strip_prefix("pub async fn ").and_then(|rest| rest.split('(').next()) else { continue };
                if !list.contains(&format!(" {case},")) {
                    missing.push(format!("{}: {case}", path.display()));
                }
            }
        }
        assert!(missing.is_empty(), "not in the list: {missing:#?}");
    }
}
