# Everything that must hold before a change lands.
check:
    cargo test --locked
    cargo fmt --all -- --check
    cargo clippy --locked --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# Licences, bans and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check bans licenses sources

# The binary, and beside it the daemon's name for it.
build:
    cargo build --release --locked
    ln -sf apex target/release/apexd
