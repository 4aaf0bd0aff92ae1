#!/usr/bin/env bash
# Runs the examples as a user would. What they print is checked by crates/procession/tests/examples.rs;
# here wordcount also has a larger text: all sources that cargo has fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

for example in hello pool survive give_up stuck talk; do
    echo "--- $example"
    cargo run --quiet --release --example "$example"
done

echo "--- wordcount"
in_parallel=$(cargo run --quiet --release --example wordcount)
echo "$in_parallel"
# The last field of the last line is the speed; everything before it is the same.
for other in serial threads; do
    counts=$(cargo run --quiet --release --example wordcount -- "--$other")
    echo "$other: ${counts##*, }"
    if [[ "${in_parallel%,*}" != "${counts%,*}" ]]; then
        echo "wordcount counts differently with --$other" >&2
        exit 1
    fi
done
