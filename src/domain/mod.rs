//! What is true, and what should happen.
//!
//! Plain values and functions over values. Nothing in this room reads a clock, draws a random number, opens a file or
//! knows a database, a wire format or a terminal: time, randomness and what the operating system said come in as
//! arguments, and what must be done goes out as values. That is why everything here can be tested in microseconds.
//!
//! Reading order: [`task`] (what is asked) → [`attempt`] (one execution) → [`outcome`] (how it ended and what follows)
//! → [`adoption`] (the same after a crash) → [`drain`]; [`dispatch`] (who is started next) over [`queue`] and [`resource`].

pub mod adoption;
pub mod attempt;
pub mod backoff;
pub mod change;
pub mod condition;
pub mod daemon;
pub mod dependency;
pub mod dispatch;
pub mod drain;
pub mod edit;
pub mod error;
pub mod field;
pub mod hook;
pub mod id;
pub mod identity;
pub mod input;
pub mod outcome;
pub mod place;
pub mod progress;
pub mod prune;
pub mod query;
pub mod queue;
pub mod resource;
pub mod schedule;
pub mod selection;
pub mod setting;
pub mod task;
pub mod text;
pub mod time;
pub mod window;
pub mod zone;
