//! What was answered survives a power cut the next instant.

use crate::powercut::{add_a_few, lived};

#[test]
fn what_was_answered_survives_a_power_cut() {
    lived(None, add_a_few).is_kept_over(40);
}
