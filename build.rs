//! Turns `proto/` into Rust without protoc: protox reads the files, tonic-prost-build writes the code. The descriptor
//! set is kept beside it for server reflection and for the test that guards the numbers of the fields.
//!
//! A release for Linux is linked so that it is in memory at once; see [`link_for_a_quick_start`].

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    let nouns = ["task", "queue", "schedule", "event", "logs", "daemon"];
    compiler.open_files(nouns.map(|noun| format!("apex/v1/{noun}.proto")))?;
    std::fs::write(out.join("apex_descriptor.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    link_for_a_quick_start(&out)
}

/// Lets a release for Linux be linked statically and at a fixed address, where the C library can be linked so.
///
/// The program is started for each task that is added. Finding and loading three libraries, and writing the addresses of
/// everything into tables of 270 KB, took more time than the command itself: 0.5 of 1.8 ms (November 2026). Asking for
/// this by a target feature would ask for it of the procedural macros too, which cannot have it; so the linker is shown
/// the static libraries first.
fn link_for_a_quick_start(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let is_release = variable("PROFILE") == "release";
    let is_glibc = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    // The compiler that is asked is the one of this machine.
    if !is_release || !is_glibc || variable("HOST") != variable("TARGET") {
        return Ok(());
    }
    let directory = out.join("static");
    let _ = std::fs::remove_dir_all(&directory);
    // What Rust unwinds by has another name where it is static.
    let names = ["c", "dl", "m", "pthread", "rt", "util"].map(|name| (name, name));
    let mut found = Vec::new();
    for (name, file) in names.into_iter().chain([("gcc_s", "gcc_eh")]) {
        let Some(archive) = archive(file) else { return Ok(()) };
        found.push((directory.join(format!("lib{name}.a")), archive));
    }
    std::fs::create_dir_all(&directory)?;
    for (link, archive) in found {
        std::os::unix::fs::symlink(archive, link)?;
    }
    for argument in [&format!("-L{}", directory.display()), "-static", "-no-pie"] {
        println!("cargo:rustc-link-arg-bin=apex={argument}");
    }
    Ok(())
}

/// Returns where the C compiler finds a static library; `None` where it finds none.
fn archive(name: &str) -> Option<PathBuf> {
    let asked = Command::new("cc").arg(format!("-print-file-name=lib{name}.a")).output().ok()?;
    let path = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    // What is not found is named as it was asked for.
    (path.is_absolute() && path.is_file()).then_some(path)
}
