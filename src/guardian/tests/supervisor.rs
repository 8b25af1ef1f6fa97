use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::libc;

use super::world::{World, await_file};
use crate::guardian::DELEGATED;
use crate::guardian::readiness::Answer;
use crate::guardian::supervisor::VARIABLE;
use crate::link::Order;

/// A world whose guardian has a supervisor, and the supervisor's socket.
fn supervised() -> (World, UnixDatagram) {
    let mut world = World::new();
    let path = world.file("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    world.options.notify = Some(path.into());
    (world, socket)
}

fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let count = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

#[test]
fn the_supervisor_hears_when_the_daemon_is_ready_and_when_it_stops() {
    let (mut world, socket) = supervised();
    world.start();
    let mut apexd = world.connect();
    assert!(apexd.hello().supervised, "an apexd must not take the place of one that somebody starts again");
    apexd.send(&Order::Ready);
    let pid = world.guardian_pid();
    assert_eq!(heard(&socket), format!("READY=1\nMAINPID={pid}\nSTATUS=ready\n"));
    apexd.spawn(world.shell(1, "exec sleep 1000"));
    world.signal_guardian(libc::SIGTERM);
    let said = heard(&socket);
    assert!(said.starts_with("STOPPING=1\nSTATUS=draining, running tasks: 1\nEXTEND_TIMEOUT_USEC="), "{said}");
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_drain_that_apexd_began_is_told_too() {
    let (mut world, socket) = supervised();
    world.start();
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    heard(&socket);
    apexd.send(&Order::Draining);
    assert!(heard(&socket).starts_with("STOPPING=1\n"));
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn apexd_does_not_know_of_the_supervisor_and_that_it_is_given_up_is_told() {
    let (mut world, socket) = supervised();
    let environment = world.file("environment");
    world.options.binary = "/bin/sh".into();
    let line = format!("env > '{0}.new'; mv '{0}.new' '{0}'; exit 78", environment.display());
    world.options.apexd_args = vec!["-c".into(), line.into()];
    world.start_after(|| {
        // SAFETY: this process has one thread.
        unsafe {
            std::env::set_var(VARIABLE, "/run/of/another");
            std::env::set_var("APEX_TEST", "1");
            std::env::set_var(DELEGATED, "yes");
        }
    });
    assert!(matches!(world.answer(), Answer::Failed(_)));
    assert!(heard(&socket).starts_with("STATUS=gave up: apexd ended with exit code 78"));
    await_file(&environment);
    let environment = fs::read_to_string(environment).unwrap();
    assert!(environment.contains("APEX_TEST=1"), "{environment}");
    assert!(!environment.contains(VARIABLE) && !environment.contains(DELEGATED), "{environment}");
    assert_eq!(world.end(), 78);
}
