//! apex: a local task daemon.
pub mod domain;
pub mod guardian;
pub mod link;
pub mod output;
pub mod process;
pub mod store;
