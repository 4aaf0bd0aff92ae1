#!/usr/bin/env bash
# Runs the tests under the address sanitizer, on a nightly toolchain if there is one, else on the one that
# is installed, if it has the sanitizer. Arguments go to cargo: `ci/asan.sh -p procession-testing --test start`.
# It takes some fifteen minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')

# Whether a toolchain's compiler has the sanitizer's runtime.
has_sanitizer() {
    local root
    root=$("$@" --print sysroot 2>/dev/null) || return 1
    compgen -G "$root/lib/rustlib/$target/lib/librustc-*_rt.asan.a" >/dev/null
}

if has_sanitizer rustc +nightly; then
    cargo=(cargo +nightly)
elif has_sanitizer rustc; then
    # What a nightly compiler does, by the installed one.
    export RUSTC_BOOTSTRAP=1
    cargo=(cargo)
else
    echo "there is no toolchain with an address sanitizer here: nothing was run"
    exit 0
fi
echo "with $("${cargo[@]}" --version)"

# With a target, what runs at compile time is built without the sanitizer.
export RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}"
# Apart, so that neither build undoes the other.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/asan"
# Deaths are what they are without it: tests look for the signal. What workers and templates leave when they
# are ended is no leak.
export ASAN_OPTIONS="detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_abort=0:allocator_may_return_null=1"

# The sanitizer needs address space by the terabyte, and more memory than any limit here allows; it has its
# own malloc in the image; and it is too slow for what must be done while something else takes its time, or
# for workers to start while a storm kills them.
without=(
    limits_hold_for a_memory_limit little_address_space whatever_breaks_comes_out_as_declared
    the_code_of_this_image_is_in_it calls_beside_a_long_task_go_to_the_idle_worker
    blows_over
)

if [[ $# -eq 0 ]]; then
    set -- -p procession-os -p procession-ipc -p procession-core -p procession-testing --lib --tests
    "${cargo[@]}" test --target "$target" -p procession --lib
fi
"${cargo[@]}" test --target "$target" --no-fail-fast "$@" -- "${without[@]/#/--skip=}"
