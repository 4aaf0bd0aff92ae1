#!/usr/bin/env bash
# Runs the examples as a user would. What they print is checked by crates/procession/tests/examples.rs;
# here wordcount also has a larger text: all sources that cargo has fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

for example in hello pool survive; do
    echo "--- $example"
    cargo run --quiet --release --example "$example"
done

echo "--- wordcount"
in_parallel=$(cargo run --quiet --release --example wordcount)
alone=$(cargo run --quiet --release --example wordcount -- --serial)
echo "$in_parallel"
echo "alone: ${alone##*, }"
# The last field of the last line is the speed; everything before it is the same.
if [[ "${in_parallel%,*}" != "${alone%,*}" ]]; then
    echo "wordcount counts differently in parallel" >&2
    exit 1
fi
