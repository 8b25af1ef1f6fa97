use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::libc;

use super::world::{World, id, number};
use crate::domain::outcome::ExitStatus;
use crate::domain::task::{Confinement, Limit, Resource};
use crate::domain::time::Moment;
use crate::guardian::processes;
use crate::guardian::spawn::{Failed, Spawner};
use crate::guardian::starting::{Progress, Starting};
use crate::link::{MARK, Spawn, SpawnStep};

/// Runs a task to its end, without a guardian.
fn run(spawn: &Spawn) -> Result<ExitStatus, Failed> {
    let (started, news) = Spawner::new(None).unwrap().start_task(spawn, None, None)?;
    assert!(news.is_none(), "nothing of it is on a mount that may hang, and it has no group with limits");
    super::world::await_end(&started.pidfd);
    Ok(processes::take(&started.pidfd).unwrap().unwrap().0)
}

fn output_of(world: &World, spawn: &Spawn) -> String {
    assert_eq!(run(spawn), Ok(ExitStatus::Code(0)));
    world.output(number(spawn.assignment))
}

fn program(world: &World, argv: &[&str]) -> Spawn {
    let argv: Vec<std::ffi::OsString> = argv.iter().map(Into::into).collect();
    Spawn { program: argv[0].clone().into(), argv, ..world.shell(1, "") }
}

#[test]
fn a_task_has_exactly_its_own_environment_and_the_mark() {
    let world = World::new();
    let mut env = vec![("B".into(), "1=2".into()), ("A".into(), "".into()), ("B".into(), "x\ny".into())];
    env.push((MARK.into(), id(9).0.to_string().into()));
    let spawn = Spawn { env, ..program(&world, &["/usr/bin/env"]) };
    let expected = format!("B=1=2\nA=\nB=x\ny\n{MARK}={}\n", id(1).0);
    assert_eq!(output_of(&world, &spawn), expected, "its own mark, and no other's");
}

#[test]
fn a_task_has_no_descriptor_but_the_three() {
    let world = World::new();
    let (_reader, _writer) = nix::unistd::pipe().unwrap();
    // The fourth is the directory that is being listed.
    assert_eq!(output_of(&world, &program(&world, &["/bin/ls", "/proc/self/fd"])), "0\n1\n2\n3\n");
}

#[test]
fn a_file_of_somebody_else_gets_no_output() {
    let world = World::new();
    let spawn = world.shell(1, "echo secret");
    fs::write(&spawn.stdout, "").unwrap();
    if std::os::unix::fs::chown(&spawn.stdout, Some(65_533), None).is_err() {
        // Only root can make one.
        return;
    }
    assert_eq!(run(&spawn), Err(Failed { step: SpawnStep::Output, errno: libc::EPERM }));
    assert_eq!(fs::read(&spawn.stdout).unwrap(), b"");
}

#[test]
fn a_task_ignores_and_blocks_no_signal() {
    // SAFETY: nothing in this program uses the signal.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
    let world = World::new();
    let text = output_of(&world, &program(&world, &["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]));
    assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[test]
fn a_task_leads_a_session_of_its_own() {
    let world = World::new();
    let text = output_of(
        &world,
        &world.shell(1, "read -r pid name state parent group session rest < /proc/self/stat; echo $session $$"),
    );
    let (session, pid) = text.trim().split_once(' ').unwrap();
    assert_eq!(session, pid);
}

#[test]
fn directory_mask_and_limits_are_those_of_the_task() {
    let world = World::new();
    fs::create_dir(world.file("sub")).unwrap();
    let limits = vec![
        Limit { resource: Resource::Core, soft: Some(0) },
        Limit { resource: Resource::Nofile, soft: Some(77) },
        // Above the hard limit, which is what it then is.
        Limit { resource: Resource::Nproc, soft: None },
    ];
    let cwd = world.file("sub");
    let line = "pwd; umask; ulimit -S -c; ulimit -S -n; echo $(($(ulimit -S -u) - $(ulimit -H -u)))";
    let spawn = Spawn { cwd: cwd.clone(), umask: 0o027, limits, ..world.shell(1, line) };
    // `ulimit -u` is not in every shell, so the last line may be of an error.
    let text = run(&spawn).map(|_| world.output(1)).unwrap();
    assert!(text.starts_with(&format!("{}\n0027\n0\n77\n", cwd.display())), "{text}");
}

#[test]
fn output_is_appended_to_files_that_only_the_owner_can_read() {
    let world = World::new();
    let stderr = world.file("1.err");
    let spawn = Spawn { umask: 0, stderr: Some(stderr.clone()), ..world.shell(1, "echo out; echo err >&2") };
    assert_eq!(run(&spawn), Ok(ExitStatus::Code(0)));
    assert_eq!(run(&spawn), Ok(ExitStatus::Code(0)));
    assert_eq!(world.output(1), "out\nout\n");
    assert_eq!(fs::read_to_string(&stderr).unwrap(), "err\nerr\n");
    assert_eq!(fs::metadata(&stderr).unwrap().permissions().mode() & 0o777, 0o600);
    let spawn = Spawn { stderr: None, ..world.shell(2, "echo out; echo err >&2; echo out") };
    assert_eq!(output_of(&world, &spawn), "out\nerr\nout\n");
}

#[test]
fn standard_input_is_a_file_or_empty_and_a_fifo_stops_nobody() {
    let world = World::new();
    assert_eq!(output_of(&world, &world.shell(1, "cat; echo end")), "end\n");
    fs::write(world.file("in"), "hello\n").unwrap();
    let spawn = Spawn { stdin: Some(world.file("in")), ..world.shell(2, "cat") };
    assert_eq!(output_of(&world, &spawn), "hello\n");
    nix::unistd::mkfifo(&world.file("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let spawn = Spawn { stdin: Some(world.file("fifo")), ..world.shell(3, "cat; echo end") };
    assert_eq!(output_of(&world, &spawn), "end\n");
}

#[test]
fn every_step_that_fails_is_named() {
    let world = World::new();
    fs::write(world.file("text"), "echo no\n").unwrap();
    symlink(world.file("elsewhere"), world.file("link")).unwrap();
    let good = || world.shell(1, "true");
    let failed = |step, errno| Err(Failed { step, errno });
    let none = world.file("none");
    for (spawn, expected) in [
        (Spawn { cwd: none.clone(), ..good() }, failed(SpawnStep::Chdir, libc::ENOENT)),
        (Spawn { cwd: world.file("text"), ..good() }, failed(SpawnStep::Chdir, libc::ENOTDIR)),
        (Spawn { stdin: Some(none.clone()), ..good() }, failed(SpawnStep::Stdin, libc::ENOENT)),
        (Spawn { stdout: none.join("out"), ..good() }, failed(SpawnStep::Output, libc::ENOENT)),
        (Spawn { stdout: world.file("link"), ..good() }, failed(SpawnStep::Output, libc::ELOOP)),
        (Spawn { stderr: Some(world.file("link")), ..good() }, failed(SpawnStep::Output, libc::ELOOP)),
        (Spawn { program: none.clone(), ..good() }, failed(SpawnStep::Exec, libc::ENOENT)),
        (Spawn { program: world.file("text"), ..good() }, failed(SpawnStep::Exec, libc::EACCES)),
        (Spawn { program: "/bin".into(), ..good() }, failed(SpawnStep::Exec, libc::EACCES)),
        (Spawn { argv: vec!["a\0b".into()], ..good() }, failed(SpawnStep::Exec, libc::EINVAL)),
        (Spawn { cwd: "/\0".into(), ..good() }, failed(SpawnStep::Chdir, libc::EINVAL)),
        (Spawn { argv: vec!["x".repeat(200_000).into()], ..good() }, failed(SpawnStep::Exec, libc::E2BIG)),
    ] {
        assert_eq!(run(&spawn), expected, "{spawn:?}");
    }
    assert!(!world.file("elsewhere").exists());
    assert_eq!(processes::children(), [0_u32; 0], "a process that could not be started is gone");
}

#[test]
fn a_task_is_kept_to_what_it_may_use() {
    let world = World::new();
    let line = "nice; grep Cpus_allowed_list: /proc/self/status; ulimit -Sn; ulimit -Hn";
    let confinement = Confinement::from_word("nice=9;cpus=0;rlimit.nofile=50:60").unwrap();
    let spawn = Spawn { confinement, ..world.shell(1, line) };
    assert_eq!(output_of(&world, &spawn), "9\nCpus_allowed_list:\t0\n50\n60\n");
}

#[test]
fn what_a_task_cannot_be_kept_to_fails_its_start() {
    let world = World::new();
    let with =
        |word: &str| run(&Spawn { confinement: Confinement::from_word(word).unwrap(), ..world.shell(1, "true") });
    let failed = |step, errno| Err(Failed { step, errno });
    assert_eq!(with("cpus=1023"), failed(SpawnStep::Cpus, libc::EINVAL), "there is none of them");
    assert_eq!(with("cpus=0,1023"), failed(SpawnStep::Cpus, libc::EINVAL), "the kernel would leave one out");
    assert_eq!(with("rlimit.nofile=9:3"), failed(SpawnStep::Rlimit, libc::EINVAL));
    let limits = Confinement::from_word("memory=1048576").unwrap();
    let spawn = Spawn { confinement: limits, ..world.shell(1, "true") };
    let nowhere = std::ffi::CString::new("/nowhere/cgroup.procs").unwrap();
    // The guardian does not wait for it: its group may give it no processor time now.
    let (started, news) = Spawner::new(None).unwrap().start_task(&spawn, Some(nowhere), None).unwrap();
    super::world::await_end(&started.pidfd);
    let refused = Progress::Failed(Failed { step: SpawnStep::Group, errno: libc::ENOENT });
    let starting = Starting::new(news.unwrap(), Moment(0));
    assert_eq!(starting.look(), refused, "outside of its group it has no limit");
    processes::take(&started.pidfd).unwrap().unwrap();
    assert_eq!(processes::children(), [0_u32; 0]);
}

#[test]
fn a_script_without_interpreter_is_run_by_the_shell() {
    let world = World::new();
    let script = world.file("script");
    fs::write(&script, "echo \"$0 $1 $2\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let spawn =
        Spawn { argv: vec!["name".into(), "a b".into(), "c".into()], program: script.clone(), ..world.shell(1, "") };
    assert_eq!(output_of(&world, &spawn), format!("{} a b c\n", script.display()));
    assert_eq!(spawn.assignment, id(1));
}

#[test]
fn the_program_is_taken_from_the_working_directory_if_it_is_relative() {
    let world = World::new();
    symlink("/bin/pwd", world.file("here")).unwrap();
    let spawn = program(&world, &["./here"]);
    assert_eq!(output_of(&world, &spawn), format!("{}\n", world.directory.path().display()));
}
