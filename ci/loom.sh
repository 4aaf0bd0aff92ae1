#!/usr/bin/env bash
# Runs the protocols of procession-ipc, and that of the pool of threads, under loom. Each further
# preemption takes about three times as long; LOOM_MAX_PREEMPTIONS=5 is for changes of a protocol.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom ${RUSTFLAGS:-}"
# Apart, so that neither build undoes the other.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-4}"
cargo test --package procession-ipc --release --lib
# Two threads and a submitter have far more to interleave than the two ends of a lane.
LOOM_MAX_PREEMPTIONS=$((LOOM_MAX_PREEMPTIONS - 1)) \
    cargo test --package procession-models --release --lib
