//! No descriptors left.
