//! Keeps the input of one task open: a process of its own beside each task that has such an input.
//!
//! The guardian starts it with what it keeps: the writing end of a pipe, or the master of a terminal and the file that
//! takes what is written to it. It belongs to nobody afterwards: apexd talks to it through a socket in the project's
//! directory, and comes and goes; guardians may follow one another, or be killed. It has one thread, decides nothing about
//! the task, and ends when it is told that the task has ended, or when nobody can read any more.
//!
//! Reading order: [`run()`] (the loop) → `feeds` (what is to be given, and what was) → `door` (who asks) → `input` (the pipe,
//! the terminal).
//!
//! Deliberately absent: showing what a terminal was written to. It goes to the task's file, and is followed there.

mod door;
mod feeds;
mod input;
mod run;

pub use run::run;

pub use crate::link::keeper::WORD;
