#!/bin/sh
# Fuzz the reader of traces with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer:
#     tests/trace/fuzz.sh [EXECUTIONS, 100000 by default]
# What it finds stays in $BUILD/fuzz; an input worth keeping goes to tests/trace/corpus/mooncake.
cd "$(dirname "$0")/../.." || exit 1
runs=${1:-100000}
build=${BUILD:-build}/fuzz
mkdir -p "$build/found-mooncake"
# shellcheck disable=SC2046
clang -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all -Isrc -o "$build/mooncake" tests/trace/fuzz_mooncake.c src/trace/lines.c \
    src/trace/mooncake.c src/base/*.c $(pkg-config --cflags --libs jansson libutf8proc libzstd zlib) -lm -pthread || exit 1
"$build/mooncake" -runs="$runs" -max_len=4096 -timeout=5 -print_final_stats=1 -artifact_prefix="$build/mooncake-" \
    "$build/found-mooncake" tests/trace/corpus/mooncake 2> "$build/mooncake.log"
rc=$?
echo "mooncake: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/mooncake.log") executions, exit $rc"
[ $rc = 0 ] || { tail -n 30 "$build/mooncake.log"; exit 1; }
