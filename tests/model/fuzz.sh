#!/bin/sh
# Fuzz the parsers of checkpoint files with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer:
#     tests/model/fuzz.sh [EXECUTIONS of each parser, 100000 by default]
# What it finds stays in $BUILD/fuzz; an input worth keeping goes to tests/model/corpus/PARSER.
cd "$(dirname "$0")/../.." || exit 1
runs=${1:-100000}
build=${BUILD:-build}/fuzz
mkdir -p "$build"
number=0
for parser in safetensors config tokenizer; do
    number=$((number + 1))
    # shellcheck disable=SC2046
    clang -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all -DPARSER=$number -Isrc -o "$build/$parser" tests/model/fuzz_parsers.c \
        src/model/safetensors.c src/model/config.c src/model/tokenizer.c src/model/text_rules.c src/model/bpe.c \
        src/model/vocab.c src/model/ids.c src/model/json.c src/base/*.c \
        $(pkg-config --cflags --libs jansson libpcre2-8 libutf8proc libzstd) -lm -pthread || exit 1
    mkdir -p "$build/found-$parser"
    "$build/$parser" -runs="$runs" -max_len=4096 -timeout=5 -print_final_stats=1 -artifact_prefix="$build/$parser-" \
        "$build/found-$parser" "tests/model/corpus/$parser" 2> "$build/$parser.log"
    rc=$?
    echo "$parser: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$parser.log") executions, exit $rc"
    [ $rc = 0 ] || { tail -n 30 "$build/$parser.log"; exit 1; }
done
