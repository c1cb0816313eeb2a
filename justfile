# One door for upkeep; `.ci/run` is what decides.

# List what there is.
default:
    @just --list

# Format, lints, documentation.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# All tests.
test:
    cargo test --workspace

# Programs of all kinds killed again and again while money goes in and out.
kills count="200":
    KILLS={{count}} cargo test --package serai-devnet --test it -- kills --nocapture

# Clusters in one process: `just simulate 4 0..10000`.
simulate validators="4" seeds="0..1000" *options:
    cargo run --package serai-devnet --features serai-simulator/memo -- simulate --validators {{validators}} --seeds {{seeds}} {{options}}

# Bugs that are planted, each found within so many seeds.
planted:
    cargo test --workspace --features serai-simulator/planted --test planted -- --nocapture

# A network on this machine.
devnet *options:
    cargo run --package serai-devnet -- {{options}}

# Everything, as it is decided.
ci:
    .ci/run

# One validator's programs killed at every step that lasts; the end compared with an undisturbed run.
crash-points:
    cargo test --package serai-devnet --test it -- the_end_is_the_same --nocapture

# More deposits and burns than can be signed, and a new set's keys made meanwhile.
overload seconds="600":
    OVERLOAD_SECONDS={{seconds}} cargo test --package serai-devnet --test it -- an_overload_passes --nocapture

# A processor, and the bus, away for long.
absent blocks="2000" seconds="180":
    ABSENT_BLOCKS={{blocks}} AWAY_SECONDS={{seconds}} cargo test --package serai-devnet --test it -- absent --nocapture

# A validator's folder removed, and restored from its newest backup.
restored:
    cargo test --package serai-devnet --test it -- restored --nocapture
