//! No processes left.
