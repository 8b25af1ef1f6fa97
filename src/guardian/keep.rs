//! Starting a keeper beside a task: what is kept is made here, and given to both.
//!
//! The guardian keeps nothing of it open itself. What it must know about a keeper is only that this child of its own is no
//! orphan of a task.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::stat::Mode;
use nix::sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::pipe2;

use crate::guardian::Options;
use crate::guardian::hold::lift;
use crate::guardian::spawn::{Failed, Given, Plan, Spawner, Started};
use crate::link::keeper::{INPUT_FD, LISTEN_FD, OUTPUT_FD, SIZE, WORD, listen_at, open_output};
use crate::link::mounts::Mounts;
use crate::link::{Keep, Kept, SpawnStep};

/// A keeper that was started, and what its task gets.
#[derive(Debug)]
pub(super) struct Company {
    /// The keeper.
    pub(super) pid: u32,
    end: OwnedFd,
    is_terminal: bool,
}

impl Company {
    /// Returns what the task is to have.
    pub(super) fn given(&self) -> Given {
        Given { fd: self.end.as_raw_fd(), is_terminal: self.is_terminal }
    }
}

/// Makes what is to be kept, and starts the keeper. If the task is not started after all the keeper ends by itself, as soon
/// as what is returned is dropped: nobody can read any more then.
pub(super) fn start(spawner: &Spawner, keep: &Keep, output: &Path) -> Result<Company, Failed> {
    if Mounts::default().can_hang_at([keep.socket.clone(), output.to_owned()].into_iter()) {
        return begin(spawner, keep, output, None);
    }
    // Before the keeper is there: whoever is told of the task's start can connect.
    let listener = listen_at(&keep.socket).map_err(failed(SpawnStep::Setup))?;
    let lifted = lift(listener).map_err(failed(SpawnStep::Setup));
    let made = lifted.and_then(|listener| begin(spawner, keep, output, Some(&listener)));
    if made.is_err() {
        let _ = std::fs::remove_file(&keep.socket);
    }
    made
}

/// Without a listener, the keeper makes its socket itself, and opens the output: they are on a file system that may not answer, and
/// then it is the keeper that hangs, and not this process. It may be told of a task's start before the socket is there.
fn begin(spawner: &Spawner, keep: &Keep, output: &Path, listener: Option<&OwnedFd>) -> Result<Company, Failed> {
    let mut args = vec![OsString::from(WORD), keep.socket.clone().into()];
    let mut fds: Vec<(RawFd, RawFd)> = listener.iter().map(|listener| (listener.as_raw_fd(), LISTEN_FD)).collect();
    let (ours, end, file) = match keep.kept {
        Kept::Pipe => {
            let (reading, writing) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| of(SpawnStep::Fork, errno))?;
            (writing, reading, None)
        }
        Kept::Terminal => {
            let (master, slave) = make_terminal().map_err(failed(SpawnStep::Terminal))?;
            let file = match listener {
                Some(_) => {
                    let file = open_output(output).map_err(failed(SpawnStep::Output))?;
                    Some(lift(file).map_err(failed(SpawnStep::Fork))?)
                }
                None => {
                    args.push(output.into());
                    None
                }
            };
            (master, slave, file)
        }
    };
    // Above those that they become, there and in the task.
    let (ours, end) = (lift(ours).map_err(failed(SpawnStep::Fork))?, lift(end).map_err(failed(SpawnStep::Fork))?);
    fds.push((ours.as_raw_fd(), INPUT_FD));
    fds.extend(file.as_ref().map(|file| (file.as_raw_fd(), OUTPUT_FD)));
    let plan = Plan::for_keeper(&Options::own_program(), &args, fds)?;
    let Started { pid, pidfd: _ } = spawner.start(&plan)?;
    Ok(Company { pid, end, is_terminal: keep.kept == Kept::Terminal })
}

fn failed(step: SpawnStep) -> impl Fn(io::Error) -> Failed {
    move |error| Failed { step, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
}

fn of(step: SpawnStep, errno: Errno) -> Failed {
    Failed { step, errno: errno as i32 }
}

/// Makes a terminal, and returns both ends of it: the master and what the task gets.
///
/// Source: pts(4), ioctl_tty(2): TIOCGPTPEER opens the other end without a name, whatever is mounted where.
fn make_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::fcntl::open("/dev/ptmx", flags, Mode::empty())?;
    let unlocked: libc::c_int = 0;
    let size = libc::winsize { ws_row: SIZE.rows, ws_col: SIZE.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: plain system calls on valid arguments; what the last one returns is a new descriptor.
    let slave = unsafe {
        Errno::result(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked))?;
        Errno::result(libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size))?;
        let fd = Errno::result(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags.bits()))?;
        OwnedFd::from_raw_fd(fd)
    };
    // So that one key takes away one character, and not a part of it.
    if let Ok(mut modes) = tcgetattr(&slave) {
        modes.input_flags |= InputFlags::IUTF8;
        let _ = tcsetattr(&slave, SetArg::TCSANOW, &modes);
    }
    Ok((master, slave))
}
