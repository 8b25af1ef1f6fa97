//! Tasks with a terminal, and terminals that are attached to them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::contract::output;
use crate::support::{World, eventually};

/// Somebody who sits at a terminal and has typed a command.
struct Seat {
    master: Option<File>,
    /// The other end, to look at its modes.
    slave: OwnedFd,
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Seat {
    fn new(world: &World, args: &[&str], rows: u16, columns: u16) -> Seat {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let open = nix::fcntl::OFlag::from_bits_truncate(flags);
        let master = nix::fcntl::open("/dev/ptmx", open, nix::sys::stat::Mode::empty()).unwrap();
        let unlocked: libc::c_int = 0;
        // SAFETY: plain system calls on valid arguments; the descriptor is new.
        let slave = unsafe {
            assert_eq!(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked), 0);
            OwnedFd::from_raw_fd(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags))
        };
        let master = File::from(master);
        let mut command = world.command(args);
        let end = || slave.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end());
        let seat_size = |fd: i32| {
            let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            // SAFETY: a valid structure.
            assert_eq!(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) }, 0);
        };
        seat_size(master.as_raw_fd());
        let child = child.spawn().unwrap();
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let (mut reading, sink) = (master.try_clone().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reading.read(&mut bytes) {
                sink.lock().unwrap().extend(&bytes[..count]);
            }
        });
        Seat { master: Some(master), slave, child, seen }
    }

    fn attach(world: &World, id: u64) -> Seat {
        let seat = Seat::new(world, &["task", "attach", &id.to_string()], 24, 80);
        seat.until_raw();
        seat
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn until(&self, text: &str) {
        let began = std::time::Instant::now();
        while !self.seen().contains(text) {
            assert!(began.elapsed() < crate::support::PATIENCE, "never seen: {text:?} in {:?}", self.seen());
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.slave)
            .unwrap()
            .local_flags
            .intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    fn until_raw(&self) {
        eventually("it is attached", || self.is_raw());
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let master = self.master.as_ref().unwrap().as_raw_fd();
        // SAFETY: a valid structure.
        assert_eq!(unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &raw const size) }, 0);
        // It is nobody's controlling terminal, so that the kernel tells nobody.
        self.signal(Signal::SIGWINCH);
    }

    fn type_in(&mut self, text: &str) {
        self.master.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the end of the command, which leaves the terminal as it was.
    #[track_caller]
    fn wait(&mut self, code: i32) {
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{}", self.seen());
        assert!(!self.is_raw(), "the terminal is as it was");
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What reads lines at its terminal and answers each, without an echo in between.
const ECHO: &str = "stty -echo; while read line; do echo \"<$line>\"; done; echo end";

fn terminal(world: &World, line: &str) -> u64 {
    let id = world.add_with(&["--pty"], line);
    world.until_state(id, "running");
    id
}

/// Row: flags of task add / --pty
/// Row: commands on tasks / task send, terminal
#[test]
fn a_task_has_a_terminal_of_its_own() {
    let world = World::started();
    let line =
        "test -t 0 -a -t 1 -a -t 2 && stty size && echo $TERM && : < /dev/tty && read x && echo \"<$x>\"; cat; exit 7";
    let id = terminal(&world, line);
    eventually("it waits for a line", || output(&world, id).contains("xterm-256color"));
    world.apex(["task", "send", &id.to_string(), "typed", "--eof"]).expect(0);
    let ended = world.ended(id);
    assert_eq!((&ended["exit_code"], &ended["stdin"]), (&serde_json::json!(7), &serde_json::json!("terminal")));
    let written = output(&world, id);
    assert!(written.starts_with("24 80\r\nxterm-256color\r\n") && written.contains("<typed>\r\n"), "{written:?}");
    let id = terminal(&world, "seq -w 100000");
    world.ended(id);
    let written = output(&world, id);
    assert!(written.len() == 800_000 && written.ends_with("100000\r\n"), "{} bytes", written.len());
    std::fs::write(world.path("tasks.jsonl"), "{\"shell\":\"tty\",\"stdin\":\"terminal\"}\n").unwrap();
    let id: u64 = world.apex(["add", "-q", "--from", "tasks.jsonl"]).expect(0).stdout.trim().parse().unwrap();
    world.ended(id);
    assert!(output(&world, id).starts_with("/dev/pts/"));
    world.apex(["add", "--pty", "--split-output", "--", "true"]).expect(2);
    world.apex(["add", "--pty", "--stdin", "open", "--", "true"]).expect(2);
    let idle = [world.guardian_pid(), world.apexd_pid()];
    world.until_empty_but(&idle);
}

/// Row: commands on tasks / task attach
/// Row: commands on tasks / task attach --detach-keys
#[test]
fn a_terminal_is_left_and_come_back_to() {
    let world = World::started();
    let id = terminal(&world, &format!("echo before; {ECHO}; exit 3"));
    eventually("it has begun", || output(&world, id).contains("before"));
    let mut seat = Seat::attach(&world, id);
    seat.until("before");
    seat.type_in("one\r");
    seat.until("<one>");
    seat.type_in("\x1c");
    seat.wait(75);
    assert_eq!(world.state(id), "running");
    let name = id.to_string();
    let mut seat = Seat::new(&world, &["task", "attach", &name, "--detach-keys", "ctrl-p,ctrl-q"], 24, 80);
    seat.until("<one>");
    seat.type_in("two\r");
    seat.until("<two>");
    seat.type_in("\x10\x11");
    seat.wait(75);
    let mut seat = Seat::attach(&world, id);
    seat.type_in("three\r\x04");
    seat.wait(3);
    assert!(seat.seen().contains("<three>") && seat.seen().contains("end"), "{}", seat.seen());
    assert_eq!(output(&world, id), "before\r\n<one>\r\n<two>\r\n<three>\r\nend\r\n");
    world.apex(["task", "attach", &name, "--detach-keys", "ctrl-1"]).expect(2);
}

/// Row: commands on tasks / task attach, several
#[test]
fn several_are_attached_and_one_that_reads_nothing_holds_up_nobody() {
    let world = World::started();
    let id = terminal(&world, ECHO);
    let (mut one, mut other, stuck) = (Seat::attach(&world, id), Seat::attach(&world, id), Seat::attach(&world, id));
    stuck.signal(Signal::SIGSTOP);
    one.type_in("from one\r");
    other.until("<from one>");
    other.type_in("from other\r");
    one.until("<from other>");
    one.type_in("\x04");
    one.wait(0);
    other.wait(0);
    stuck.signal(Signal::SIGCONT);
}

/// Row: commands on tasks / task attach, size
#[test]
fn the_terminal_is_as_large_as_that_of_whoever_came_last() {
    let world = World::started();
    let id = terminal(&world, "trap 'stty size' WINCH; echo begun; while :; do sleep 0.05; done");
    eventually("it has begun", || output(&world, id).contains("begun"));
    let name = id.to_string();
    let seat = Seat::new(&world, &["task", "attach", &name], 30, 100);
    seat.until("30 100");
    seat.resize(60, 200);
    seat.until("60 200");
    let other = Seat::new(&world, &["task", "attach", &name], 24, 80);
    other.until("24 80");
}

/// Row: commands on tasks / task attach, left
#[test]
fn a_terminal_is_given_back_however_it_is_left() {
    let world = World::started();
    let id = terminal(&world, "printf '\\033[?1049h\\033[?25lfull screen'; cat");
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let mut seat = Seat::attach(&world, id);
        seat.until("full screen");
        seat.signal(signal);
        seat.wait(75);
        seat.until("\x1b[?1049l");
        assert!(seat.seen().contains("\x1b[?25h"), "{:?}", seat.seen());
    }
    // A terminal that disappears takes nobody along.
    let mut seat = Seat::attach(&world, id);
    seat.until("full screen");
    seat.master = None;
    seat.signal(Signal::SIGHUP);
    seat.child.wait().unwrap();
    assert_eq!(world.state(id), "running");
    let mut seat = Seat::attach(&world, id);
    seat.until("full screen");
    world.apex(["daemon", "stop", "--force"]).expect(0);
    assert!(seat.child.wait().unwrap().code().is_some());
    assert!(!seat.is_raw());
    world.until_empty();
}

/// Row: commands on tasks / task attach, survives
#[test]
fn it_stays_attached_over_crashes_and_restarts() {
    let world = World::started();
    let id = terminal(&world, ECHO);
    let mut seat = Seat::attach(&world, id);
    seat.type_in("one\r");
    seat.until("<one>");
    kill(Pid::from_raw(world.apexd_pid()), Signal::SIGKILL).unwrap();
    seat.type_in("two\r");
    seat.until("<two>");
    world.apex(["daemon", "restart"]).expect(0);
    seat.type_in("three\r");
    seat.until("<three>");
    let guardian = world.guardian_pid();
    kill(Pid::from_raw(guardian), Signal::SIGKILL).unwrap();
    seat.type_in("four\r");
    seat.until("<four>");
    eventually("somebody else is the guardian", || world.guardian_pid() != guardian);
    seat.type_in("\x04");
    seat.child.wait().unwrap();
    assert_eq!(output(&world, id), "<one>\r\n<two>\r\n<three>\r\n<four>\r\nend\r\n");
    world.apex(["daemon", "stop"]).expect(0);
    world.until_empty();
}

/// Row: commands on tasks / task attach, refused
#[test]
fn what_cannot_be_attached_to_is_refused() {
    let world = World::started();
    let plain = world.add("sleep 60");
    let refused = world.apex(["task", "attach", &plain.to_string()]).expect(125);
    assert!(refused.stderr.contains("it has no terminal") && refused.stderr.contains("--pty"), "{refused:?}");
    let id = terminal(&world, "cat");
    let refused = world.apex(["task", "attach", &id.to_string()]).expect(125);
    assert!(refused.stderr.contains("are not a terminal") && refused.stderr.contains("logs -f"), "{refused:?}");
    world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
    let refused = world.apex(["task", "attach", &id.to_string()]).expect(125);
    assert!(refused.stderr.contains("it has ended as `cancelled`"), "{refused:?}");
    world.apex(["task", "attach", "99"]).expect(125);
}

/// Row: commands on tasks / run --pty
#[test]
fn run_attaches_on_a_terminal() {
    let world = World::started();
    let mut seat = Seat::new(&world, &["run", "--pty", "--", "sh", "-c", "read x; echo \"<$x>\"; exit 7"], 24, 80);
    seat.until_raw();
    seat.type_in("hello\r");
    seat.wait(7);
    seat.until("<hello>");
    let mut seat = Seat::new(&world, &["run", "--pty", "--", "cat"], 24, 80);
    seat.until_raw();
    seat.type_in("\x03");
    seat.wait(128 + libc::SIGINT);
    let run = world.apex(["run", "--pty", "--", "sh", "-c", "tty -s && echo terminal"]).expect(0);
    assert_eq!(run.stdout, "terminal\r\n");
}
