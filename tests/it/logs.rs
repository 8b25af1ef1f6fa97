//! What tasks wrote, and the daemon's own log.

use crate::support::World;
use crate::wire::add_many;

#[test]
fn every_byte_of_a_large_output_is_followed() {
    let world = World::started();
    let run = world.apex(["run", "--", "sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x; echo end"]);
    assert_eq!(run.code, 0);
    assert_eq!(run.stdout.len(), 20_000_004);
    assert!(run.stdout.ends_with("xend\n"));
}

#[test]
fn the_daemons_log_is_followed_over_rotations_and_a_restart() {
    let world = World::with_config("[daemon]\nmax_concurrent = 8\n[log]\nmax_size = \"32KiB\"\nkeep = 4\n");
    world.apex(["daemon", "start"]).expect(0);
    let mut follower = world.spawn(["daemon", "logs", "-f"]);
    let (sender, lines) = std::sync::mpsc::channel();
    let stdout = follower.stdout();
    // Ends with the follower.
    let reader = std::thread::spawn(move || {
        use std::io::BufRead;
        std::io::BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", world.guardian_pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    world.ended(add_many(&world, "true", 10));
    let before = memory();
    world.ended(add_many(&world, "true", 990));
    world.apex(["daemon", "restart"]).expect(0);
    world.ended(add_many(&world, "true", 1000));
    assert!(memory() <= before + 256, "the guardian grew from {before} to {} KiB", memory());
    let mut seen = vec![0; 2001];
    // The ends come in any order. One that is missing makes this wait in vain, and then fail by its number.
    while seen.iter().sum::<i32>() < 2000
        && let Ok(line) = lines.recv_timeout(crate::support::PATIENCE)
    {
        if let Some(rest) = line.split("] Task ").nth(1)
            && let Some((id, _)) = rest.split_once(" completed (")
        {
            seen[id.parse::<usize>().unwrap()] += 1;
        }
    }
    drop(follower);
    reader.join().unwrap();
    let wrong: Vec<usize> = (1..=2000).filter(|id| seen[*id] != 1).collect();
    assert!(wrong.is_empty(), "missed or repeated: {wrong:?}");
    let size: u64 = std::fs::read_dir(world.dot_apex())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("daemon.log"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert!(size <= 5 * 32 * 1024, "{size} bytes of log");
}
