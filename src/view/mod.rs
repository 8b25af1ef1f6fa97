//! Our public JSON, and the measures as [`metrics`] writes them: one contract for whoever reads apex with a program.
//!
//! Each shape is a struct of its own, made from values of [`crate::domain`] by a function named `of`; nothing else in
//! apex is serialized for the outside. Keys are only ever added and never left out: what is not known is null, what is
//! empty is `[]` or `{}`. Text that is not UTF-8 is shown lossily, and whatever could steer a terminal is escaped by
//! [`json`], so that a line of it can be printed anywhere.
//!
//! Reading order: [`json`] → [`task`] → [`daemon`].

pub mod config;
pub mod daemon;
pub mod db;
pub mod doctor;
pub mod error;
pub mod event;
pub mod hook;
pub mod init;
pub mod input;
pub mod json;
pub mod log;
pub mod metrics;
pub mod progress;
pub mod prune;
pub mod queue;
pub mod resource;
pub mod schedule;
pub mod status;
pub mod task;
pub mod text;
pub mod time;
pub mod trust;
pub mod unit;
pub mod version;
pub mod why;
pub mod window;

#[cfg(test)]
pub(crate) mod samples;
