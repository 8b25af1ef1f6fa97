//! A keeper in a thread of its own, and real pipes and terminals.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;

use uuid::Uuid;

use super::*;
use crate::domain::input::Size;
use crate::link::codec::{Reader, encode};
use crate::link::keeper::Feed;

struct World {
    dir: tempfile::TempDir,
    keeper: Option<JoinHandle<()>>,
}

impl World {
    fn new(input: impl FnOnce(&Path) -> Input) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let (listener, _) = opened_by(None, None, &socket, None).unwrap();
        let mut keeper = Keeper {
            door: Door::new(listener, socket),
            feeds: Feeds::default(),
            input: input(dir.path()),
            signals: SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_NONBLOCK).unwrap(),
            gone_at: None,
            ended: false,
            leaves_socket: false,
        };
        let keeper = std::thread::spawn(move || {
            keeper.keep();
            keeper.end();
        });
        Self { dir, keeper: Some(keeper) }
    }

    fn pipe() -> (Self, File) {
        let (reading, writing) = nix::unistd::pipe().unwrap();
        (Self::new(|_| Input::pipe(writing)), File::from(reading))
    }

    /// The other end is one that is no controlling terminal of anybody.
    fn terminal() -> (Self, File) {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let master =
            nix::fcntl::open("/dev/ptmx", nix::fcntl::OFlag::from_bits_truncate(flags), nix::sys::stat::Mode::empty());
        let master = master.unwrap();
        let unlocked: libc::c_int = 0;
        // SAFETY: plain system calls on valid arguments; the descriptor is new.
        let slave = unsafe {
            assert_eq!(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked), 0);
            File::from_raw_fd(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags))
        };
        let world = Self::new(|dir| Input::terminal(master, File::create(dir.join("output")).unwrap()));
        (world, slave)
    }

    fn client(&self) -> Client {
        Client { stream: UnixStream::connect(self.dir.path().join("socket")).unwrap(), reader: Reader::default() }
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("output")).unwrap()
    }

    /// Ends the keeper, as apexd does when the task has ended.
    fn end(mut self) -> String {
        let mut client = self.client();
        client.ask(&Ask::End);
        assert_eq!(client.told(), None);
        self.keeper.take().unwrap().join().unwrap();
        assert!(!self.dir.path().join("socket").exists());
        std::fs::read_to_string(self.dir.path().join("output")).unwrap_or_default()
    }
}

struct Client {
    stream: UnixStream,
    reader: Reader<Told>,
}

impl Client {
    fn ask(&mut self, ask: &Ask) {
        let mut bytes = Vec::new();
        encode(ask, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn told(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.reader.next_message().unwrap() {
                return Some(told);
            }
            let mut bytes = [0; 64];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.reader.feed(&bytes[..count]),
            }
        }
    }

    fn feed(&mut self, id: u128, bytes: &[u8], eof: bool) {
        self.ask(&Ask::Feed(Feed { id: Uuid::from_u128(id), at: 0, bytes: bytes.to_vec(), eof }));
    }

    fn fed(&mut self) -> (u64, bool) {
        match self.told() {
            Some(Told::Fed { taken, closed, .. }) => (taken, closed),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_pipe_is_fed_until_its_end() {
    let (world, mut task) = World::pipe();
    let (mut one, mut other) = (world.client(), world.client());
    one.feed(1, b"hello ", false);
    assert_eq!(one.fed(), (6, false));
    drop(one);
    other.feed(2, b"world", true);
    assert_eq!(other.fed(), (5, false));
    let mut text = String::new();
    task.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello world");
    other.feed(2, b"world", true);
    assert_eq!(other.fed(), (5, false), "the same once more");
    other.feed(3, b"late", false);
    assert_eq!(other.fed(), (0, true));
    other.feed(4, b"", true);
    assert_eq!(other.fed(), (0, true));
    world.end();
}

#[test]
fn what_is_not_read_holds_up_only_who_sends_it() {
    let (world, mut task) = World::pipe();
    let mut stuck = world.client();
    let much = vec![b'x'; 1 << 20];
    stuck.feed(1, &much, false);
    let mut behind = world.client();
    behind.feed(2, b"y", false);
    stuck.ask(&Ask::Enough);
    let (taken, closed) = stuck.fed();
    assert!((4096..1 << 20).contains(&taken) && !closed, "{taken}");
    behind.ask(&Ask::Enough);
    assert_eq!(behind.fed(), (0, false));
    // Whoever comes back goes on where it was.
    let mut again = world.client();
    again.feed(1, &much, true);
    let mut all = Vec::new();
    task.read_to_end(&mut all).unwrap();
    assert_eq!((all.len(), again.fed()), (1 << 20, (1 << 20, false)));
    world.end();
}

#[test]
fn a_task_that_closes_its_input_is_told() {
    let (world, task) = World::pipe();
    let mut client = world.client();
    let much = vec![b'x'; 1 << 20];
    client.feed(1, &much, false);
    drop(task);
    let (taken, closed) = client.fed();
    assert!(taken < 1 << 20 && closed);
    client.feed(2, b"more", false);
    assert_eq!(client.fed(), (0, true));
    client.ask(&Ask::Resize(Size { rows: 1, columns: 1 }));
    assert_eq!(client.told(), None, "a pipe has no size");
    world.end();
}

#[test]
fn what_a_terminal_is_written_to_is_kept_to_the_last_byte() {
    let (world, mut task) = World::terminal();
    let mut client = world.client();
    client.ask(&Ask::Resize(Size { rows: 50, columns: 132 }));
    assert_eq!(client.told(), Some(Told::Size(Size { rows: 0, columns: 0 })));
    client.ask(&Ask::Resize(Size { rows: 24, columns: 80 }));
    assert_eq!(client.told(), Some(Told::Size(Size { rows: 50, columns: 132 })));
    client.feed(1, b"typed\r", false);
    assert_eq!(client.fed(), (6, false));
    let mut line = [0; 6];
    task.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"typed\n", "the return key ends a line");
    client.feed(2, b"", true);
    assert_eq!(client.fed(), (0, false));
    assert_eq!(task.read(&mut line).unwrap(), 0, "the end of the input");
    client.feed(3, b"more\r", false);
    assert_eq!(client.fed(), (5, false), "a terminal is not closed by that");
    task.write_all(&b"0123456789".repeat(200)).unwrap();
    // The terminal repeats what is typed when it comes to it.
    let output = world.end().replacen("more\r\n", "", 1);
    assert!(output.starts_with("typed\r\n") && output.ends_with("0123456789"), "{output}");
}

#[test]
fn a_terminal_is_ended_after_a_line_that_is_not() {
    let (world, mut task) = World::terminal();
    let mut client = world.client();
    client.feed(1, b"part", true);
    assert_eq!(client.fed(), (4, false));
    let mut line = [0; 16];
    assert_eq!(task.read(&mut line).unwrap(), 4);
    assert_eq!(&line[..4], b"part");
    assert_eq!(task.read(&mut line).unwrap(), 0, "the end of the input");
    world.end();
}

#[test]
fn who_is_one_too_many_is_let_go_of() {
    let (world, _task) = World::pipe();
    let mut clients: Vec<Client> = (0..64).map(|_| world.client()).collect();
    assert_eq!(world.client().told(), None);
    clients[0].feed(1, b"x", false);
    assert_eq!(clients[0].fed(), (1, false));
    clients[63].ask(&Ask::End);
    assert_eq!(clients[63].told(), None);
}

#[test]
fn who_sends_without_waiting_is_let_go_of() {
    let (world, task) = World::pipe();
    let (mut hasty, mut patient) = (world.client(), world.client());
    hasty.feed(1, &vec![b'x'; 1 << 20], false);
    hasty.feed(2, b"y", false);
    assert_eq!(hasty.told(), None);
    drop(task);
    patient.feed(3, b"z", false);
    assert_eq!(patient.fed(), (0, true));
    world.end();
}

#[test]
fn what_the_guardian_did_not_open_is_opened_here() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (_listener, output) = opened_by(None, None, &at("socket"), Some(&at("output"))).unwrap();
    output.unwrap().write_all(b"kept").unwrap();
    let modes = ["socket", "output"].map(|name| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777);
    assert_eq!(modes, [0o600, 0o600]);
    UnixStream::connect(at("socket")).unwrap();
    let (listener, output) = (File::open(at("output")).unwrap().into(), File::open(at("output")).unwrap());
    let opened = opened_by(Some(listener), Some(output), &at("none"), Some(&at("none"))).unwrap();
    assert!(opened.1.is_some() && !at("none").exists(), "what is open is not opened again");
    assert!(opened_by(None, None, &at("socket"), None).is_none(), "something is there");
    symlink(at("output"), at("link")).unwrap();
    assert!(opened_by(None, None, &at("other"), Some(&at("link"))).is_none());
}

#[test]
fn it_goes_when_nobody_has_the_terminal() {
    let (mut world, mut task) = World::terminal();
    task.write_all(b"last words").unwrap();
    drop(task);
    world.keeper.take().unwrap().join().unwrap();
    assert_eq!(world.output(), "last words");
    assert!(!world.dir.path().join("socket").exists());
}
