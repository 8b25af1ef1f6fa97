//! The program: `apex`, or `apexd` by the name it is called by.

fn main() {
    std::process::exit(apex::main(std::env::args_os().collect()))
}
