//! What every backend promises, as tests: one promise each. A backend calls [`conformance`] with a function that makes
//! an empty store.

use std::any::Any;
use std::sync::Arc;

use crate::store::Store;

pub(crate) mod bulk;
pub(crate) mod change;
pub(crate) mod condition;
pub(crate) mod edit;
pub(crate) mod hook;
pub(crate) mod model;
pub(crate) mod place;
pub(crate) mod progress;
pub(crate) mod queue;
pub(crate) mod resource;
pub(crate) mod schedule;
pub(crate) mod steer;
pub(crate) mod task;
pub(crate) mod terms;
pub(crate) mod wait;
pub(crate) mod world;

/// An empty store, and what has to live as long as it does.
pub(crate) type Fresh = (Arc<dyn Store>, Box<dyn Any + Send>);

/// Makes a test of each promise.
macro_rules! conformance {
    ($fresh:path) => {
        $crate::store::conformance::each!($fresh,
            resource: a_task_is_granted_what_it_needs_until_it_has_ended,
                what_is_given_back_or_not_there_is_granted_to_nobody,
                a_big_task_reserves_when_it_has_waited,
                a_clock_that_is_set_back_starves_nobody,
                whoever_is_kept_back_meanwhile_begins_to_wait_anew,
                what_is_lent_does_not_count,
                needs_are_found_in_lists_and_moved_like_others,
                weights_are_set_by_people_and_by_the_configuration;
            task: an_added_task_is_there_as_it_was_given,
                what_a_task_waits_for_decides_its_first_state,
                adding_twice_adds_once,
                while_a_task_has_a_key_no_other_one_is_added_with_it,
                an_unknown_queue_is_refused,
                ids_and_positions_ascend,
                claims_go_by_priority_then_position,
                a_claim_takes_at_most_as_many_as_it_has_names_for,
                a_claim_takes_less_as_long_as_attempts_have_not_ended,
                slots_are_the_lowest_that_are_free,
                a_claimed_task_carries_its_environment,
                a_start_is_recorded_once,
                a_claim_that_was_given_back_is_no_attempt,
                a_claim_that_was_given_back_leaves_the_last_attempt_as_it_was,
                an_end_is_recorded_once,
                an_end_without_a_start_records_the_process,
                a_failed_task_is_tried_again_until_its_attempts_are_used_up,
                only_the_codes_asked_for_are_tried_again,
                what_was_cut_off_goes_back_to_the_queue_if_it_asked_for_that,
                several_steps_are_answered_each_on_its_own,
                unknown_claims_are_stale,
                a_waiting_task_is_cancelled_at_once,
                a_running_task_is_asked_once,
                a_cancelled_task_says_why,
                a_cancel_wins_over_a_further_attempt,
                a_claim_given_back_after_a_cancel_ends_the_task,
                what_ended_cannot_be_cancelled,
                only_what_is_held_is_released,
                what_is_in_flight_is_told_in_the_order_of_the_claims,
                hashes_are_kept_once,
                uploads_that_tasks_name_are_told,
                counts_follow_every_change,
                lists_are_filtered,
                lists_keep_the_newest,
                lists_go_on_below_the_lowest,
                lists_keep_the_oldest_between_two_ids,
                recent_keeps_what_ended_last,
                lists_over_queues_names_and_labels_keep_the_newest;
            bulk: many_tasks_are_added_as_each_would_be,
                many_tasks_are_counted_and_told_as_each_would_be,
                of_many_tasks_all_are_added_or_none,
                many_tasks_that_are_added_twice_are_there_once,
                one_of_many_tasks_whose_key_is_taken_is_the_one_that_has_it,
                many_tasks_of_an_untrusted_project_are_held;
            wait: what_is_due_becomes_ready_and_the_next_time_is_told,
                a_further_attempt_is_due_like_anything_else,
                a_task_is_ready_when_all_it_depends_on_has_succeeded,
                what_depends_on_a_failure_is_skipped_down_the_chain,
                what_was_skipped_waits_again_when_its_cause_is_retried,
                what_has_two_causes_stays_skipped_until_both_are_retried,
                what_is_held_is_skipped_when_it_is_released,
                a_cancel_before_the_start_is_told_to_those_that_depend_on_it,
                a_cancel_is_a_failure_for_those_that_depend_on_it,
                a_task_can_only_depend_on_one_that_is_there,
                a_dependency_and_a_time_are_both_waited_for,
                many_dependants_are_told_in_pieces,
                a_cause_that_changes_while_it_is_told_is_told_as_it_stands_last,
                nothing_of_an_untrusted_project_is_ready,
                many_tasks_are_accepted_in_pieces,
                claims_are_renewed_by_their_owner_and_expire_for_others;
            steer: whatever_waits_is_held_and_goes_back_where_it_was,
                what_runs_or_has_ended_is_not_held,
                a_pause_is_recorded_with_the_time_it_took,
                a_paused_task_keeps_its_slot,
                what_has_ended_begins_anew_counted_afresh,
                a_cancelled_task_can_be_retried_and_forgets_the_cancel,
                what_has_not_ended_or_would_be_skipped_is_not_retried,
                what_fails_with_its_cause_is_retried_with_it_in_any_order,
                a_retried_task_has_no_end_and_no_start,
                a_release_skips_what_waits_for_a_task_that_has_failed_since,
                a_removed_task_is_gone_with_all_it_had,
                files_of_removed_tasks_are_told_until_they_are_deleted,
                what_has_not_ended_or_is_waited_for_is_not_removed,
                what_is_not_what_was_meant_is_left_as_it_is,
                a_skipped_task_whose_cause_is_gone_stays_skipped,
                what_ended_long_ago_is_forgotten_with_what_was_recorded;
            edit: all_that_a_task_is_to_do_can_be_changed,
                what_has_started_or_is_not_what_it_was_is_not_changed,
                what_a_task_waits_for_can_be_changed,
                the_environment_is_changed_for_one_task_alone,
                a_key_stays_that_of_one_task;
            place: a_task_is_put_to_the_top_or_before_another_one,
                what_is_moved_stays_within_its_queue_and_priority,
                only_what_waits_is_moved,
                there_is_always_room_between_two_tasks,
                what_has_ended_is_told_from_the_last_on;
            progress: what_a_task_says_is_kept_and_told,
                only_the_present_attempt_has_a_progress,
                what_makes_no_sense_changes_nothing,
                a_progress_is_gone_with_its_task,
                earlier_runs_of_a_name_tell_what_is_expected;
            queue: queues_are_made_changed_and_listed_by_name,
                a_queue_never_has_more_than_its_slots,
                a_claim_goes_over_all_queues_in_one_order,
                nothing_of_a_paused_queue_is_claimed,
                nothing_is_claimed_of_queues_that_the_claim_leaves_out,
                a_pause_ends_by_itself,
                a_queue_is_removed_when_nothing_of_it_is_left_to_run,
                the_last_to_speak_decides_how_many_slots_there_are,
                what_the_configuration_no_longer_names_has_no_limit_of_its_own,
                a_queue_that_comes_back_is_told,
                tasks_are_counted_by_queue_and_state,
                what_comes_back_from_a_skip_brings_its_queue_back,
                two_queues_share_the_limit_and_no_slot_is_idle;
            schedule: an_added_schedule_is_there_as_it_was_given,
                a_name_in_use_and_an_unknown_queue_are_refused,
                a_fire_adds_a_task_and_moves_the_cursor,
                a_time_fires_once_however_often_it_is_tried,
                another_schedule_of_the_name_does_not_fire_for_the_first,
                what_is_due_is_told_with_the_time_of_the_next,
                a_task_that_has_not_ended_stands_in_the_way,
                tasks_queue_up_where_that_is_wanted,
                what_has_not_ended_is_cancelled_and_waited_for,
                several_times_fire_together_and_do_not_stand_in_their_own_way,
                a_schedule_that_is_never_due_again_stays,
                a_key_in_use_adds_nothing,
                a_task_can_be_added_at_once,
                a_paused_schedule_is_not_due_until_it_is_resumed,
                a_removed_schedule_leaves_its_tasks,
                tasks_of_an_earlier_one_of_the_name_stand_in_nobodys_way,
                a_schedule_can_be_added_paused,
                what_a_schedule_needs_is_kept_for_it,
                a_queue_that_a_schedule_adds_to_is_not_removed,
                tasks_of_no_schedule_are_of_none;
            terms: all_of_a_schedule_but_its_name_can_be_changed,
                a_schedule_is_due_anew_only_by_other_times,
                a_paused_schedule_that_is_changed_stays_paused,
                a_schedule_that_is_not_what_it_was_is_not_changed,
                the_environment_of_tasks_to_come_is_changed;
            condition: lists_are_of_what_a_condition_holds_for,
                lists_come_in_the_order_that_was_asked_for;
            hook: a_hook_begins_where_it_was_first_heard_of_and_goes_on_where_it_came_to,
                hooks_of_tasks_are_followed_from_the_first_that_has_some,
                a_task_stays_until_its_hooks_have_run,
                what_hooks_of_tasks_have_run_for_out_of_order_is_remembered,
                a_queue_that_is_empty_is_told_only_if_a_hook_is_for_it,
                a_hook_that_failed_is_told_and_changes_nothing_else;
            change: every_verb_appends_its_changes,
                a_verb_that_changes_nothing_appends_nothing,
                changes_are_read_from_a_cursor,
                watchers_see_the_last_change,
                a_closed_store_does_nothing;
        );
    };
}

macro_rules! each {
    ($fresh:path, $($noun:ident: $($promise:ident),*;)*) => {
        $($(
            #[tokio::test]
            async fn $promise() {
                let (store, _guard) = $fresh();
                let world = $crate::store::conformance::world::World::of(store);
                $crate::store::conformance::$noun::$promise(&world).await;
                world.store.close().await.unwrap();
            }
        )*)*
    };
}

pub(crate) use {conformance, each};
