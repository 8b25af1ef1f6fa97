//! Telling whoever started the daemon how that went, over a pipe.
//!
//! Lines: `pid N` first, then one of `ready`, `running N` (another daemon has the lock; without N if its pid is not
//! known) or `failed REASON`, which goes to the end. The end without any of these means that the daemon died.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;

use crate::link::machine::boottime_now;

/// The daemon's end; nothing if nobody waits.
#[derive(Debug, Default)]
pub(super) struct Readiness(Option<File>);

impl Readiness {
    pub(super) fn new(pipe: OwnedFd) -> Self {
        Self(Some(File::from(pipe)))
    }

    /// Names the guardian.
    pub(super) fn pid(&mut self, pid: u32) {
        self.write(&format!("pid {pid}\n"));
    }

    /// The daemon answers requests.
    pub(super) fn ready(&mut self) {
        self.write("ready\n");
        self.0 = None;
    }

    /// Another daemon is there already.
    pub(super) fn already_running(&mut self, pid: Option<u32>) {
        self.write(&pid.map_or_else(|| "running\n".to_owned(), |pid| format!("running {pid}\n")));
        self.0 = None;
    }

    /// The daemon gives up.
    pub(super) fn failed(&mut self, reason: &str) {
        self.write(&format!("failed {reason}\n"));
        self.0 = None;
    }

    fn write(&mut self, text: &str) {
        if let Some(pipe) = &mut self.0 {
            // Whoever waited may have gone away. A pipe takes 64 KiB without blocking, and no reason is that long.
            let _ = pipe.write_all(text.as_bytes());
        }
    }
}

/// How the start went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    AlreadyRunning(Option<u32>),
    Failed(String),
    /// The daemon died without a word.
    Died,
    /// It is neither ready nor dead.
    Nothing,
}

/// Waits for the answer, at most `within`. `named` is called with the guardian's pid when that is known, at once.
pub(super) fn wait(pipe: OwnedFd, within: Duration, mut named: impl FnMut(u32)) -> io::Result<Answer> {
    let deadline = boottime_now() + within;
    let mut pipe = File::from(pipe);
    let mut text = Vec::new();
    let mut is_named = false;
    loop {
        let ms = i32::try_from(boottime_now().until(deadline).as_millis()).unwrap_or(i32::MAX);
        let timeout = PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX);
        let ready = match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => continue,
            ready => ready?,
        };
        if ready == 0 {
            return Ok(Answer::Nothing);
        }
        let mut bytes = [0; 4096];
        let count = match pipe.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        text.extend_from_slice(&bytes[..count]);
        let (pid, answer) = parse(&text, count == 0);
        if let Some(pid) = pid.filter(|_| !is_named) {
            is_named = true;
            named(pid);
        }
        if let Some(answer) = answer {
            return Ok(answer);
        }
    }
}

fn parse(text: &[u8], is_end: bool) -> (Option<u32>, Option<Answer>) {
    let text = String::from_utf8_lossy(text);
    let mut pid = None;
    for line in text.split_inclusive('\n') {
        let Some(words) = line.strip_suffix('\n') else { break };
        match words.split_once(' ').unwrap_or((words, "")) {
            ("pid", number) => pid = number.parse().ok(),
            ("ready", _) => return (pid, Some(Answer::Ready)),
            ("running", number) => return (pid, Some(Answer::AlreadyRunning(number.parse().ok()))),
            ("failed", _) if is_end => {
                let reason = text.split_once("failed ").map_or("", |(_, reason)| reason.trim_end());
                return (pid, Some(Answer::Failed(reason.to_owned())));
            }
            ("failed", _) => return (pid, None),
            _ => {}
        }
    }
    (pid, is_end.then_some(Answer::Died))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(talk: impl FnOnce(&mut Readiness)) -> (Vec<u32>, Answer) {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut readiness = Readiness::new(writer);
        talk(&mut readiness);
        drop(readiness);
        let mut pids = Vec::new();
        let answer = wait(reader, Duration::from_secs(60), |pid| pids.push(pid)).unwrap();
        (pids, answer)
    }

    #[test]
    fn every_answer_arrives() {
        assert_eq!(tell(|_| ()), (vec![], Answer::Died));
        assert_eq!(tell(|daemon| daemon.pid(7)), (vec![7], Answer::Died));
        let ready = tell(|daemon| {
            daemon.pid(7);
            daemon.ready();
            daemon.failed("too late to tell");
        });
        assert_eq!(ready, (vec![7], Answer::Ready));
        assert_eq!(tell(|daemon| daemon.already_running(Some(8))), (vec![], Answer::AlreadyRunning(Some(8))));
        assert_eq!(tell(|daemon| daemon.already_running(None)), (vec![], Answer::AlreadyRunning(None)));
        let failed = Answer::Failed("line one\nline two".to_owned());
        assert_eq!(tell(|daemon| daemon.failed("line one\nline two")), (vec![], failed));
    }

    #[test]
    fn nothing_comes_from_one_that_neither_answers_nor_dies() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        assert_eq!(wait(reader, Duration::ZERO, |_| ()).unwrap(), Answer::Nothing);
        drop(writer);
    }
}
