//! Telling whoever supervises the guardian how the daemon stands, as systemd wants it: sd_notify(3).
//!
//! The words are those of the crate `sd-notify`; its sending is not used, because it makes a socket for each message
//! and waits for a supervisor that does not read. Here the socket is made once, and nothing ever waits. What goes wrong
//! is not told: the supervisor is the one it would have to be told to, and guarding goes on without it.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::domain::text::neutralize;
use crate::domain::time::Moment;

/// The variable that names the supervisor's socket. It is for the guardian alone: apexd and tasks would speak for it.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// How long the supervisor is asked to be patient while the daemon stops, and how often it is asked again.
const PATIENCE: Duration = Duration::from_secs(30);
const EXTEND_EVERY: Duration = Duration::from_secs(10);

/// What a drain may take beyond the grace and the kill grace: a task may have a kill grace of its own, and the store is
/// closed.
const SPARE: Duration = Duration::from_secs(60);

/// When a message is sent again that the supervisor had no room for.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// So much is kept for a supervisor that does not read, in bytes.
const UNSENT_BYTES_MAX: usize = 4096;

/// The supervisor; nothing if there is none.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// What it had no room for, and when that is tried again.
    unsent: Option<(String, Moment)>,
    /// It knows that the daemon stops, and is told then that this goes on.
    extend_at: Option<Moment>,
    /// When it was first told.
    stopping_since: Option<Moment>,
}

impl Supervisor {
    /// Makes the way to the socket that `NOTIFY_SOCKET` names. One that cannot be made is done without.
    pub(super) fn new(address: Option<&OsStr>) -> Self {
        let to = address.and_then(|address| Some((socket().ok()?, parse(address).ok()?)));
        Self { to, ..Self::default() }
    }

    /// The daemon answers requests. `pid` is the guardian's, for a supervisor that started it by way of a script.
    pub(super) fn ready(&mut self, pid: u32, now: Moment) {
        self.send(&[NotifyState::Ready, NotifyState::MainPid(pid), NotifyState::Status("ready")], now);
    }

    /// apexd is not started any more.
    pub(super) fn gave_up(&mut self, reason: &str, now: Moment) {
        // A line end would begin another message.
        self.send(&[NotifyState::Status(&format!("gave up: {}", neutralize(reason)))], now);
    }

    /// Returns until when the supervisor is asked for patience: a daemon that hangs for ever is to be ended by it.
    pub(super) fn patience(&mut self, grace_until: Option<Moment>, kill_grace: Duration, now: Moment) -> Moment {
        let since = *self.stopping_since.get_or_insert(now);
        grace_until.map_or(since, |until| until.max(since)) + kill_grace + SPARE
    }

    /// The daemon stops, and `running` tasks have not ended yet: told at once, and then from time to time, so that the
    /// supervisor does not lose patience with a grace that is longer than it expected. From `by` on it is not asked for
    /// more.
    pub(super) fn stopping(&mut self, running: usize, now: Moment, by: Moment) {
        if self.extend_at.is_some_and(|at| now < at) {
            return;
        }
        let status = format!("draining, running tasks: {running}");
        let us = u32::try_from(PATIENCE.as_micros()).unwrap_or(u32::MAX);
        let states = [NotifyState::Stopping, NotifyState::Status(&status), NotifyState::ExtendTimeoutUsec(us)];
        let is_known = self.extend_at.is_some();
        self.extend_at = Some(now + EXTEND_EVERY);
        let asked = if now < by { 3 } else { 2 };
        self.send(&states[usize::from(is_known)..asked], now);
    }

    /// Tries again to send what there was no room for.
    pub(super) fn retry(&mut self, now: Moment) {
        if let Some((text, _)) = self.unsent.take_if(|(_, at)| *at <= now) {
            self.send_text(text, now);
        }
    }

    /// Returns when [`Self::retry`] or [`Self::stopping`] has something to do; the latter only if the daemon stops.
    pub(super) fn next_deadline(&self, is_stopping: bool) -> Option<Moment> {
        self.to.as_ref()?;
        let retry = self.unsent.as_ref().map(|(_, at)| *at);
        let extend = is_stopping.then(|| self.extend_at.unwrap_or(Moment(0)));
        [retry, extend].into_iter().flatten().min()
    }

    fn send(&mut self, states: &[NotifyState<'_>], now: Moment) {
        // In the order in which it was said.
        let mut text = self.unsent.take().map(|(text, _)| text).unwrap_or_default();
        for state in states {
            text.push_str(&format!("{state}\n"));
        }
        self.send_text(text, now);
    }

    fn send_text(&mut self, text: String, now: Moment) {
        let Some((socket, address)) = &self.to else { return };
        match socket.send_to_addr(text.as_bytes(), address) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && text.len() <= UNSENT_BYTES_MAX => {
                self.unsent = Some((text, now + RETRY_AFTER));
            }
            // Sent, or nobody is there.
            _ => {}
        }
    }
}

fn socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Source: sd_notify(3): a path, or with `@` in front a name that is in no file system.
fn parse(address: &OsStr) -> io::Result<SocketAddr> {
    match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(address),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_000_000);
    const LATER: Moment = Moment(9_000_000);

    /// A supervisor's socket and the way to it.
    fn pair() -> (tempfile::TempDir, UnixDatagram, Supervisor) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        (directory, socket, Supervisor::new(Some(path.as_os_str())))
    }

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut bytes = [0; 8192];
        let count = socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..count].to_vec()).unwrap())
    }

    #[test]
    fn everything_is_said_in_the_words_of_systemd() {
        let (_directory, socket, mut supervisor) = pair();
        supervisor.ready(7, NOW);
        assert_eq!(heard(&socket).as_deref(), Some("READY=1\nMAINPID=7\nSTATUS=ready\n"));
        supervisor.gave_up("one\nREADY=1", NOW);
        assert_eq!(heard(&socket).as_deref(), Some("STATUS=gave up: one\\nREADY=1\n"));
        assert_eq!(supervisor.next_deadline(false), None, "nothing is to be done while nothing happens");
    }

    #[test]
    fn patience_is_asked_for_again_and_again_while_the_daemon_stops() {
        let (_directory, socket, mut supervisor) = pair();
        assert_eq!(supervisor.next_deadline(true), Some(Moment(0)));
        supervisor.stopping(3, NOW, LATER);
        let first = "STOPPING=1\nSTATUS=draining, running tasks: 3\nEXTEND_TIMEOUT_USEC=30000000\n";
        assert_eq!(heard(&socket).as_deref(), Some(first));
        supervisor.stopping(2, NOW + Duration::from_secs(9), LATER);
        assert_eq!(heard(&socket), None);
        let next = NOW + EXTEND_EVERY;
        assert_eq!(supervisor.next_deadline(true), Some(next));
        supervisor.stopping(1, next, LATER);
        let again = "STATUS=draining, running tasks: 1\nEXTEND_TIMEOUT_USEC=30000000\n";
        assert_eq!(heard(&socket).as_deref(), Some(again));
    }

    #[test]
    fn patience_is_not_asked_for_longer_than_a_drain_may_take() {
        let (_directory, socket, mut supervisor) = pair();
        let kill_grace = Duration::from_secs(5);
        let soon = NOW + Duration::from_secs(65);
        assert_eq!(supervisor.patience(None, kill_grace, NOW), soon);
        let later = NOW + Duration::from_secs(20);
        assert_eq!(supervisor.patience(None, kill_grace, later), soon, "counted from the beginning");
        let until = NOW + Duration::from_secs(300);
        assert_eq!(supervisor.patience(Some(until), kill_grace, later), until + Duration::from_secs(65));
        assert_eq!(supervisor.patience(Some(Moment(1)), kill_grace, later), soon);
        supervisor.stopping(1, NOW, soon);
        heard(&socket);
        supervisor.stopping(1, soon, soon);
        assert_eq!(heard(&socket).as_deref(), Some("STATUS=draining, running tasks: 1\n"));
    }

    #[test]
    fn a_supervisor_that_does_not_read_stops_nothing_and_is_told_later() {
        let (_directory, socket, mut supervisor) = pair();
        let mut filled = 0;
        while supervisor.unsent.is_none() {
            supervisor.gave_up("x", NOW);
            filled += 1;
        }
        supervisor.ready(7, NOW);
        supervisor.retry(NOW);
        let later = NOW + RETRY_AFTER;
        assert_eq!(supervisor.next_deadline(false), Some(later));
        let heard_before = std::iter::from_fn(|| heard(&socket)).count();
        assert_eq!(heard_before, filled - 1);
        supervisor.retry(later);
        let expected = "STATUS=gave up: x\nREADY=1\nMAINPID=7\nSTATUS=ready\n";
        assert_eq!(heard(&socket).as_deref(), Some(expected));
        assert_eq!(supervisor.next_deadline(false), None);
    }

    #[test]
    fn where_nobody_listens_nothing_happens() {
        for address in [None, Some("/nowhere/notify"), Some("vsock:2:1"), Some(""), Some("@apex-test-nobody")] {
            let mut supervisor = Supervisor::new(address.map(OsStr::new));
            supervisor.ready(7, NOW);
            supervisor.stopping(0, NOW, LATER);
            assert!(supervisor.unsent.is_none(), "{address:?}");
        }
        assert_eq!(Supervisor::new(None).next_deadline(true), None);
    }
}
