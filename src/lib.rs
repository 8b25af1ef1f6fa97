//! apex: a local task daemon.
//!
//! One binary with two names. As `apex` it is the command line ([`cli`]); as `apexd` it is the daemon of a project, which
//! is two processes: the [`guardian`], parent of every task and of apexd, and apexd itself ([`daemon`]).
//!
//! # The house
//!
//! [`domain`] decides and touches nothing. There is one room per technology: SQL only in [`store`], tonic only in [`rpc`],
//! clap and the user's terminal only in [`cli`], fork and signals only in [`guardian`], `/proc` only there and in [`process`],
//! the inputs of running tasks only in [`keeper`].
//! [`engine`] does what the domain decided, through the rooms. [`daemon`] builds everything and takes it down. The same
//! noun has the same file name in every room.
//!
//! ```text
//!         main · lib
//!   daemon   guardian   keeper   cli
//!   rpc                           │
//!   engine                        └─ rpc::client
//!   store  process  output  view  telemetry
//!   link  config  paths  units  exit  fault
//!   domain
//! ```
//!
//! Arrows point down only, and rooms on one line do not know one another; `tests/it/house.rs` holds the whole table.
//!
//! # Words
//!
//! A *task* is what is asked; an *attempt* is one execution of it. A task waits in a *queue* for a *slot*; a daemon *claims* it
//! under an *assignment* that never repeats; the *outcome* is how it ended. A *keeper* keeps the input of an attempt open. A *schedule* adds tasks: it is *due* at its times,
//! and *fires* once for each. A *drain* ends a daemon in order, with a *grace*
//! for what runs. To *adopt* is to go on with a process that an earlier apexd started; to *reap* is to take a process's
//! exit status from the kernel, which happens only after the outcome is stored. A *change* is a recorded fact, the *feed*
//! all of them in order, a *cursor* a place in it.
//!
//! # Ways through
//!
//! *Add*: `cli/command/add` → [`rpc::client`] → [`rpc::server`] → [`engine::Handle`] → [`store`] → `engine/claim` →
//! `engine/supervise` → [`link::Order::Spawn`] → [`guardian`]. *Logs*: `cli/command/logs` → [`rpc::server`] → [`output`].
//! *SIGTERM* and *crash*: see `ARCHITECTURE.md`.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod engine;
pub mod exit;
pub mod fault;
pub mod guardian;
pub mod keeper;
pub mod link;
pub mod output;
pub mod paths;
pub mod process;
pub mod rpc;
pub mod store;
pub mod telemetry;
pub mod units;
pub mod view;

/// Runs the program as its arguments say, its own name first, and returns the exit code.
pub fn main(args: Vec<std::ffi::OsString>) -> i32 {
    cli::main(args, daemon::main)
}
