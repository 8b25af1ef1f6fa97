//! Turns `proto/` into Rust without protoc: protox reads the files, tonic-prost-build writes the code. The descriptor
//! set is kept beside it for server reflection and for the test that guards the numbers of the fields.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    let nouns = ["task", "queue", "event", "logs", "daemon"];
    compiler.open_files(nouns.map(|noun| format!("apex/v1/{noun}.proto")))?;
    std::fs::write(out.join("apex_descriptor.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
