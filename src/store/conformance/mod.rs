//! What every backend promises, as tests: one promise each. A backend calls [`conformance`] with a function that makes
//! an empty store.

use std::any::Any;
use std::sync::Arc;

use crate::store::Store;

pub(crate) mod change;
pub(crate) mod model;
pub(crate) mod task;
pub(crate) mod world;

/// An empty store, and what has to live as long as it does.
pub(crate) type Fresh = (Arc<dyn Store>, Box<dyn Any + Send>);

/// Makes a test of each promise.
macro_rules! conformance {
    ($fresh:path) => {
        $crate::store::conformance::each!($fresh,
            task: an_added_task_is_there_as_it_was_given,
                what_a_task_waits_for_decides_its_first_state,
                adding_twice_adds_once,
                an_unknown_queue_is_refused,
                ids_and_positions_ascend,
                claims_go_by_priority_then_position,
                a_claim_takes_at_most_as_many_as_it_has_names_for,
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
                recent_keeps_what_ended_last;
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
