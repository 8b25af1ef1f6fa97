//! apex as its users meet it: through the real binary. One story each, waiting for events, leaving nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod config;
mod contract;
mod crash;
mod damage;
mod drain;
mod errors;
mod fuzz;
mod guardian;
mod hang;
mod house;
mod idle;
mod install;
mod logs;
mod looks;
mod neighbours;
mod network;
mod powercut;
mod promises;
mod recipes;
mod reload;
mod removed;
mod scarce;
mod start;
mod storm;
mod support;
mod task;
mod wire;
