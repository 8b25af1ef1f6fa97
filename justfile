# Everything that must hold before a change lands.
check:
    cargo test --locked
    cargo fmt --all -- --check
    cargo clippy --locked --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# Leaves out what each of the promises is kept by, one after the other: its test must then fail.
sabotage:
    cargo test --locked --test it sabotage

# The long forms of the tests that go through many rounds. Takes about an hour.
long:
    APEX_LONG=50 cargo test --locked --test it powercut::
    APEX_LONG=20 cargo test --locked --lib -- simulation model
    APEX_LONG=10 cargo test --locked --test it damage::
    APEX_LONG=320 cargo test --locked --test it crash::link
    APEX_LONG=20 cargo test --locked --release --test it storm::killing
    APEX_LONG=10 cargo test --locked --release --test it p04
    APEX_LONG=100 cargo test --locked --release --test it -- a_guardian_killed storm::soak

# Licences, bans and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check bans licenses sources

# The binary, and beside it the daemon's name for it.
build:
    cargo build --release --locked
    ln -sf apex target/release/apexd

# Sends apex, every other queue on this machine and the bare limit through the same work. Takes most of an hour.
compare:
    cargo bench --locked --bench compare

# The hot paths in parts.
hot:
    cargo bench --locked --bench hot
