#!/bin/sh
# Fuzz the importers with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer:
#     tests/trace/fuzz_foreign.sh [EXECUTIONS of each, 100000 by default]
# What it finds stays in $BUILD/fuzz; an input worth keeping goes to tests/trace/corpus/TARGET.
cd "$(dirname "$0")/../.." || exit 1
runs=${1:-100000}
build=${BUILD:-build}/fuzz
mkdir -p "$build/objects"
packages="jansson libpcre2-8 libutf8proc libzstd libmd openblas zlib"
if pkg-config --exists msgpack-c; then packages="$packages msgpack-c"; else packages="$packages msgpack"; fi
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -O1 -g -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -Isrc -I. $(pkg-config --cflags $packages)"
# Objects are kept: only what changed is compiled again, all cores at once.
for source in src/base/*.c src/tape/*.c src/cache/*.c src/model/*.c src/engine/*.c src/script/*.c src/trace/*.c; do
    object=$build/objects/$(echo "$source" | tr / -).o
    [ "$object" -nt "$source" ] || echo "$source $object"
done > "$build/stale"
objects=$(for source in src/base/*.c src/tape/*.c src/cache/*.c src/model/*.c src/engine/*.c src/script/*.c src/trace/*.c; do
    echo "$build/objects/$(echo "$source" | tr / -).o"
done)
# The forward pass and its kernels are no part of this, and take minutes to instrument: they stay as they are.
for source in src/model/kernel_*.c src/model/forward.c; do
    object=$build/objects/$(echo "$source" | tr / -).o
    # shellcheck disable=SC2046
    [ "$object" -nt "$source" ] || clang -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -O1 -Isrc -I. \
        $(pkg-config --cflags openblas) -c -o "$object" "$source" || exit 1
done
grep -v 'src/model/kernel_\|src/model/forward.c' "$build/stale" > "$build/todo"
# shellcheck disable=SC2086
xargs -r -P "$(getconf _NPROCESSORS_ONLN)" -n 2 sh -c "clang $(echo $flags) -c -o \$1 \$0" < "$build/todo" || exit 1
number=0
for target in kv conversations; do
    number=$((number + 1))
    # shellcheck disable=SC2046,SC2086
    clang $flags -fsanitize=fuzzer -DTARGET=$number -o "$build/$target" tests/trace/fuzz_foreign.c $objects \
        $(pkg-config --libs $packages) -lm -pthread || exit 1
    mkdir -p "$build/found-$target"
    "$build/$target" -runs="$runs" -max_len=2048 -timeout=10 -print_final_stats=1 -artifact_prefix="$build/$target-" \
        "$build/found-$target" "tests/trace/corpus/$target" 2> "$build/$target.log"
    rc=$?
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log") executions, exit $rc"
    [ $rc = 0 ] || { tail -n 30 "$build/$target.log"; exit 1; }
done
