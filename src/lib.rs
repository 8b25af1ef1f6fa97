//! apex: a local task daemon.
pub mod config;
pub mod daemon;
pub mod domain;
pub mod engine;
pub mod exit;
pub mod guardian;
pub mod link;
pub mod output;
pub mod paths;
pub mod process;
pub mod rpc;
pub mod store;
pub mod telemetry;
pub mod units;
