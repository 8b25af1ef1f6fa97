//! The guardian with real processes.
//!
//! [`world`] runs a guardian in a process of its own. Its apexd is this test program again: [`relay`] passes bytes
//! between the link and a connection to the listening socket, so that each test itself is the apexd.

mod background;
mod ending;
mod escapes;
mod hangs;
mod hold;
mod lives;
mod relay;
mod rubbish;
mod spawn;
mod supervisor;
mod tasks;
mod watch;
pub(super) mod world;
