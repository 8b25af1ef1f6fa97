//! Through the real binary.
