#!/bin/sh
# radixscope lint: what it prints, its exit codes, and that docs/import.md shows what it says.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
RX=$BUILD/radixscope
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-lint.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
RADIXSCOPE_DATA=${RADIXSCOPE_DATA:-$PWD/data}
export RADIXSCOPE_DATA
failed=0
verdict() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi; }

rules='You are a helpful assistant. Answer in a short sentence. Be kind and clear. If you do not know, say so.'
prompts() { # FIRST SECOND: what stands before the rules in two turns of a conversation
    printf '{"messages":[{"role":"system","content":"%s%s"},{"role":"user","content":"What color is grass?"}]}\n' "$1" "$rules"
    printf '\n{"messages":[{"role":"system","content":"%s%s"},{"role":"user","content":"What color is grass?"},' "$2" "$rules"
    printf '{"role":"assistant","content":"Grass is green."},{"role":"user","content":"And snow?"}]}\n'
}

prompts 'It is 10:31:05 now. ' 'It is 10:31:48 now. ' | sed '/^$/d' > "$tmp/clock.jsonl"
timeout 20 "$RX" lint "$tmp/clock.jsonl" > "$tmp/out" 2> "$tmp/err"
[ $? = 1 ] && [ ! -s "$tmp/err" ] && grep -q 'a date or a time stands where they part' "$tmp/out"
verdict $? 'a clock in front is found: exit code 1'
sed -n '/^## Prompts/,/^## Lengths/p' docs/import.md | sed -n 's/^    //p' > "$tmp/shown"
sed -n '2,6p' "$tmp/out" | cmp -s - "$tmp/shown" && [ -s "$tmp/shown" ]
verdict $? 'docs/import.md shows it'
prompts '' '' > "$tmp/calm.jsonl"
timeout 20 "$RX" lint "$tmp/calm.jsonl" > "$tmp/out" && grep -q 'which it continues' "$tmp/out" &&
    grep -q 'line 3: ' "$tmp/out" && grep -q 'nothing that was there before is computed again' "$tmp/out"
verdict $? 'a conversation that goes on: exit code 0, empty lines are passed over'
timeout 20 "$RX" lint - < "$tmp/calm.jsonl" | cmp -s - "$tmp/out"
verdict $? '- is standard input'
timeout 20 "$RX" lint "$tmp/clock.jsonl" --json > "$tmp/json"
[ $? = 1 ] && grep -q '"causes":\["time"\]' "$tmp/json" && grep -q '"findings":1}$' "$tmp/json"
verdict $? '--json says the same'

# What the cache really finds is what lint says: the same two prompts through the engine.
common=$(sed -n 's/.*"line":3,"against":1,"tokens":[0-9]*,"common":\([0-9]*\),.*/\1/p' <<END
$(timeout 20 "$RX" lint "$tmp/calm.jsonl" --json)
END
)
sed '/^$/d' "$tmp/calm.jsonl" > "$tmp/whole.jsonl"
timeout 20 "$RX" import "$tmp/whole.jsonl" --hashes-only -o "$tmp/run.rxs" > /dev/null
found=$(timeout 20 "$RX" run "$tmp/run.rxs" --plain | sed -n 's/.* MATCHED .*units=\([0-9]*\) of=.*/\1/p' | tail -n 2 | head -n 1)
[ -n "$common" ] && [ "$common" -gt 0 ] && [ "$found" -ge "$common" ]
verdict $? "the engine finds at least these tokens ($found, lint says $common)"

refuses() { # NAME RC TEXT ARGUMENTS…
    name=$1 want=$2 text=$3
    shift 3
    timeout 20 "$RX" lint "$@" > "$tmp/out" 2> "$tmp/err"
    [ $? = "$want" ] && grep -qF -- "$text" "$tmp/err" && [ ! -s "$tmp/out" ]
    verdict $? "$name"
}
echo '{"messages":[{"role":"user","content":"x"}' > "$tmp/cut.jsonl"
: > "$tmp/empty.jsonl"
refuses 'a line that is cut off' 1 'line 1 is no JSON' "$tmp/cut.jsonl"
refuses 'an empty file' 1 'holds no prompts' "$tmp/empty.jsonl"
refuses 'no such file' 1 'cannot be opened' "$tmp/none.jsonl"
refuses 'no operand' 2 'lint takes one file'
exit $failed
