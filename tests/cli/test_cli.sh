#!/bin/sh
# The real binary: what it prints, what it answers to wrong input, its exit codes.
BUILD=${BUILD:-build}
RX=$BUILD/radixscope
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-cli.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; shift; [ $# -gt 0 ] && printf '    %s\n' "$@"; return 0; }

# run COMMAND…: its output in $out, its errors in $err, its exit code in $rc
run() {
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    rc=$?
    out=$(cat "$tmp/out") err=$(cat "$tmp/err")
}

# says NAME RC ERRORS COMMAND…: exit code and the whole of stderr ($ stands for the temporary folder)
says() {
    name=$1 want_rc=$2 want=$3
    shift 3
    run "$@"
    got=$(printf '%s' "$err" | sed "s|$tmp|\$|g")
    if [ "$rc" = "$want_rc" ] && [ "$got" = "$want" ]; then ok "$name"; else
        not_ok "$name" "wanted $want_rc: $want" "got    $rc: $got"
    fi
}

# has NAME RC TEXT COMMAND…: exit code, and stdout or stderr holds TEXT
has() {
    name=$1 want_rc=$2 want=$3
    shift 3
    run "$@"
    case $out$err in
    *"$want"*) [ "$rc" = "$want_rc" ] && { ok "$name"; return; } ;;
    esac
    not_ok "$name" "wanted $want_rc: $want" "got    $rc: $out$err"
}

# ---- wrong command lines: exit code 2, what was meant
says 'unknown command' 2 "radixscope: 'comapre' is no command
  did you mean compare?" $RX comapre
says 'nonsense command' 2 "radixscope: 'xyzzy' is no command
  radixscope --help lists the commands" $RX xyzzy
says 'a file as command' 2 "radixscope: 'a.rxs' is no command
  to open a file: radixscope play a.rxs" $RX a.rxs
says 'unknown option' 2 "radixscope: unknown option --jsno
  did you mean --json?" $RX compare --jsno
says 'unknown letter' 2 "radixscope: unknown option -z
  radixscope --help lists the options; behind -- everything is an operand" $RX run -z hi
says 'option of another command' 2 "radixscope: doctor has no option --pool
  radixscope help doctor lists its options" $RX doctor --pool 3
says 'value missing' 2 "radixscope: --max needs a value: --max COUNT" $RX run hi -n
says 'value wrong' 2 "radixscope: --max must be a whole number from 1 to 2147483647, not '3x'" $RX run hi -n 3x
says 'flag with a value' 2 "radixscope: --json takes no value" $RX compare --json=1
says 'temperature' 2 "radixscope: --temperature must be a number like 0.7, not 'hot'" $RX run hi --temperature hot
says 'temperature, range' 2 'radixscope: temperature is 101, but 0 (greedy) to 100 was expected' \
    $RX run hi --temperature 101
says 'top-k' 2 "radixscope: --top-k must be a whole number from 0 to 4294967294, not '1.5'" $RX run hi --top-k 1.5
says 'seed' 2 "radixscope: --seed must be a whole number from 0 to 4294967294, not '-1'" $RX run hi --seed=-1
says 'min-p' 2 "radixscope: --min-p must be a number like 0.7, not '.'" $RX run hi --min-p .
says 'stop' 2 'radixscope: a stop string is empty, and an empty text stands everywhere' $RX run hi --stop=
says 'twice' 2 "radixscope: --pool is given twice" $RX run hi --pool 3 --pool 4
says 'nothing to run' 2 "radixscope: run needs something to run
  radixscope help run" $RX run
says 'two scenarios' 2 "radixscope: play takes one script or scenario, not 2 operands" $RX play a b
says 'bad policy' 2 "radixscope: 'lruu' is no eviction policy
  use lru, lfu, fifo, mru, filo, priority or slru" $RX run --policy lruu hi
says 'bad rules' 2 "radixscope: --rules is classic or unified, not 'new'" $RX run --rules new hi
says 'bad break' 2 "radixscope: --break is row or slot, not 'all'" $RX compare --break all
for how in 'play two-strings' 'play two-strings --plain' 'replay two-strings'; do
    has "bad theme: $how" 2 "there is no theme 'nope'" $RX $how --theme nope
done

# ---- the world is not as it should be: exit code 1, one sentence
says 'missing script' 1 "radixscope: \$/no.rxs cannot be opened: No such file or directory" $RX play "$tmp/no.rxs"
mkdir "$tmp/dir.rxs"
says 'folder as script' 1 "radixscope: \$/dir.rxs is not a regular file" $RX play "$tmp/dir.rxs"
says 'unknown scenario' 1 "radixscope: there is no scenario called two-string
  did you mean two-strings?" $RX play two-string
printf 'tokens letters\ninsret abc\n' >"$tmp/word.rxs"
says 'unknown word' 1 "radixscope: \$/word.rxs:2:1: 'insret' is no command
  did you mean insert?" $RX run "$tmp/word.rxs"
printf 'tokens letters\npool 0\n' >"$tmp/none.rxs"
says 'no slots at all' 1 "radixscope: \$/none.rxs:2:6: slots must be at least 1" $RX run "$tmp/none.rxs"
printf 'tokens letters\ninsert abc\nexpect nodes=2\n' >"$tmp/expect.rxs"
says 'failed expectation' 1 "radixscope: \$/expect.rxs:3:14: expected nodes=2, but it is 1" $RX run "$tmp/expect.rxs"
says 'foreign recording' 1 "radixscope: /etc/passwd is no recording of radixscope" $RX replay /etc/passwd
says 'missing model' 1 "radixscope: \$/model is no folder: --model wants one with config.json and the weights" \
    $RX run --model "$tmp/model" hi
says 'pool and page disagree' 1 "radixscope: a pool of 7 slots is not a whole number of pages of 2" \
    $RX run --pool 7 --page 2 hi
if [ "$(id -u)" != 0 ]; then
    printf 'reset\n' >"$tmp/secret.rxs"
    chmod 000 "$tmp/secret.rxs"
    says 'unreadable script' 1 "radixscope: \$/secret.rxs cannot be opened: Permission denied" $RX run "$tmp/secret.rxs"
fi
long=$(awk 'BEGIN { for (i = 0; i < 1500; i++) printf "cat " }')
has 'prompt longer than the context' 1 'refused: request 1 cannot run' $RX run "$long"
has 'pool too small for the prompt' 1 'the pool is too small' $RX run --pool 4 'What color is grass?'

# ---- damaged weights
cp -r data/model "$tmp/damaged" 2>/dev/null
for cut in 0 7 100 4000; do
    head -c $cut data/model/model.safetensors >"$tmp/damaged/model.safetensors"
    has "weights cut off after $cut bytes" 1 "$tmp/damaged/model.safetensors" $RX run --model "$tmp/damaged" hi
done
size=$(wc -c <data/model/model.safetensors)
head -c $((size - 1)) data/model/model.safetensors >"$tmp/damaged/model.safetensors"
has 'weights one byte short' 1 "$tmp/damaged/model.safetensors" $RX run --model "$tmp/damaged" hi
rm "$tmp/damaged/model.safetensors"
has 'weights missing' 1 "$tmp/damaged/model.safetensors" $RX run --model "$tmp/damaged" hi
printf '{' >"$tmp/damaged/config.json"
has 'config.json damaged' 1 "$tmp/damaged/config.json" $RX run --model "$tmp/damaged" hi

# ---- what it prints
has 'version' 0 'radixscope 0.' $RX --version
has 'help' 0 'radixscope play shared-system-prompt' $RX --help
has 'help of a command' 0 'Exit code 1 on any difference' $RX help compare
has 'home lists scenarios' 0 'shared-system-prompt' $RX
has 'doctor' 0 'two requests were answered' $RX doctor
for command in $($RX --help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
    has "help $command" 0 "radixscope $command" $RX help "$command"
    has "$command --help" 0 "radixscope $command" $RX "$command" --help
done

run $RX run 'What color is grass?' 'What color is grass?'
case $out in
*'0 from the cache'*'Grass is green.'*'Grass is green.'*) ok 'run answers' ;;
*) not_ok 'run answers' "$out" ;;
esac
run $RX run -n 2 'What color is grass?'
case $out in *'2 generated'*) ok '-n limits the answer' ;; *) not_ok '-n limits the answer' "$out" ;; esac
run $RX run 'What color is grass?' -n2 --json
case $out in
'{"requests":['*'"prompt_tokens":'*'"generated_tokens":2,"outcome":"answered"'*'}'*) ok 'run --json' ;;
*) not_ok 'run --json' "$out" ;;
esac
has 'prompts behind --' 0 'request 1: "--json"' $RX run -n 2 -- --json

# ---- the documents say what the program says
for topic in script:commands events:events; do
    sed -n '/^```$/,/^```$/p' "docs/${topic#*:}.md" | grep -v '^```$' >"$tmp/doc"
    run $RX help "${topic%:*}"
    cmp -s "$tmp/out" "$tmp/doc" && ok "docs/${topic#*:}.md" || not_ok "docs/${topic#*:}.md: radixscope help ${topic%:*} says" "$out"
done
run $RX help rxs
[ "$rc" = 2 ] && ok 'help of an unknown topic' || not_ok 'help of an unknown topic' "rc $rc"

# ---- play without a terminal: the run to its end, one event a line
run $RX play shared-system-prompt
lines=$(grep -cE '^[0-9]+ [A-Z_]+ ' "$tmp/out")
if [ "$rc" = 0 ] && [ "$lines" -gt 150 ] && [ -z "$err" ]; then ok "play prints $lines steps"; else
    not_ok 'play prints its steps' "rc $rc, $lines lines" "$err"
fi
numbered=$(grep -cE '^[0-9]+ ' "$tmp/out")
if [ "$(grep -E '^[0-9]+ ' "$tmp/out" | cut -d' ' -f1 | sort -n -u | tail -n 1)" = "$numbered" ]; then
    ok 'every step has its number'
else not_ok 'every step has its number'; fi
grep -q 'SPLIT_NODE node=1 upper=3 at=29' "$tmp/out" && ok 'the split after 29 tokens' || not_ok 'the split after 29 tokens'
if grep -qE '(left|page|again|cut|chunked)=0|rules=0' "$tmp/out"; then not_ok 'zeros that mean nothing'; else ok 'no zeros that mean nothing'; fi
grep -q 'START pool=128 page=1 policy=lru rules=classic' "$tmp/out" && ok 'rules by their name' || not_ok 'rules by their name'
cp "$tmp/out" "$tmp/played"
has 'a lock has its name' 0 'inc_lock_ref: keep holds node 1 (A)' $RX play small-pool
has 'and lets go under it' 0 'dec_lock_ref: keep lets go of node 1 (A)' $RX play small-pool
run $RX play lpm-starves
sed 's/[0-9]*  *\([A-Z_]*\) .*/\1/' "$tmp/out" | grep -c TAKEN > "$tmp/taken"
[ "$rc" = 0 ] && [ "$(grep -o 'TIMES req=[0-9]*' "$tmp/out" | tail -n 1)" = 'TIMES req=2' ] && [ "$(cat "$tmp/taken")" = 6 ] &&
    ok 'lpm: the cold request is answered last' || not_ok 'lpm: the cold request is answered last'
sed 's/^schedule lpm/schedule fcfs/' data/scenarios/lpm-starves.rxs > "$tmp/fcfs.rxs"
run $RX play "$tmp/fcfs.rxs"
[ "$(grep -o 'TIMES req=[0-9]*' "$tmp/out" | sed -n 2p)" = 'TIMES req=2' ] && ok 'fcfs: it is second' || not_ok 'fcfs: it is second'
has 'retraction' 0 'RETRACT req=4 outputs=' $RX play retraction
printf 'tokens letters\nschedule lpm\nturn "x"\n' > "$tmp/turn.rxs"
has 'turn needs an answer' 1 'with a schedule requests only arrive' $RX play "$tmp/turn.rxs"
printf 'tokens letters\nserve\n' > "$tmp/serve.rxs"
has 'serve needs a schedule' 1 'means something only with a schedule' $RX play "$tmp/serve.rxs"
TERM=dumb run $RX play shared-system-prompt
cmp -s "$tmp/out" "$tmp/played" && ok 'TERM=dumb prints the same' || not_ok 'TERM=dumb prints the same'
run $RX record data/scenarios/shared-system-prompt.rxs -o "$tmp/a.rxt"
[ "$rc" = 0 ] && ok 'record' || not_ok 'record' "$err"
RADIXSCOPE_DATA=/ run $RX replay "$tmp/a.rxt"
cmp -s "$tmp/out" "$tmp/played" && ok 'a recording replays the same lines without model' ||
    not_ok 'a recording replays the same lines without model' "$err"
bin=$(cd "$BUILD" && pwd)/radixscope
(cd "$tmp" && "$bin" record two-strings) > "$tmp/out" 2>&1
[ -f "$tmp/two-strings.rxt" ] && [ ! -f data/scenarios/two-strings.rxt ] && ok 'a scenario is recorded into this folder' ||
    not_ok 'a scenario is recorded into this folder' "$(cat "$tmp/out")"
run $RX record data/scenarios/shared-system-prompt.rxs -o "$tmp/b.rxt"
cmp -s "$tmp/a.rxt" "$tmp/b.rxt" && ok 'recording twice gives the same bytes' || not_ok 'recording twice gives the same bytes'
head -c 300 "$tmp/a.rxt" >"$tmp/cut.rxt"
has 'a recording cut off' 1 'is cut off: its body should have' $RX replay "$tmp/cut.rxt"
has 'an old recording is shown' 0 '"last words"' $RX export screen tests/tape/data/before_schedules.rxt --format text
for scenario in data/scenarios/*.rxs; do
    run $RX play "$scenario"
    [ "$rc" = 0 ] && ok "play $(basename "$scenario" .rxs)" || not_ok "play $scenario" "$err"
done

# ---- a scenario with other settings runs; what it expects belongs to its own
for option in '--pool 256' '--page 4' '--policy mru' '--rules unified' '--max 2'; do
    says "expectations and $option" 0 "radixscope: expectations belong to $(
        case $option in
        *pool*) echo 'pool 128' ;; *page*) echo 'page 1' ;; *policy*) echo 'policy lru' ;;
        *rules*) echo 'rules classic' ;; *) echo 'whole answers' ;;
        esac); not checked with $option" $RX play shared-system-prompt --plain $option
done
says 'the same pool is no other setting' 0 '' $RX play shared-system-prompt --plain --pool 128
says 'expectations that are left out in compare' 0 \
    'radixscope: expectations belong to page 1; not checked with --page 4' $RX compare --page 4

# ---- a scenario by its name, also where a prompt could stand
has 'run SCENARIO' 0 'insert: 8 tokens were there, 3 are new' $RX run two-strings
has 'compare SCENARIO' 0 'A chat with memory' $RX compare multi-turn
has 'replay SCENARIO' 0 'SPLIT_NODE' $RX replay two-strings
has 'two prompts stay prompts' 0 'request 2: "two-strings"' $RX run small-pool two-strings
has 'what is no scenario is a prompt' 0 'request 1: "two-string"' $RX run two-string

# ---- sampling
has 'stop' 0 '"generated_tokens":4,"outcome":"answered","finish_reason":"stop string"' \
    $RX run --json --stop blue 'What color is the sky?'
sampled='--temperature 3 --top-k 60 --top-p 0.98 --min-p 0.001 --repetition-penalty 1.1'
has 'compare draws the same tokens' 0 'Equal: largest difference of a logit 0 over' \
    $RX compare $sampled --seed 7 'What color is the sky?' 'What color is grass?'
first=$($RX run --max 20 $sampled --seed 7 'What color is the sky?' | tail -n 1)
again=$($RX run --max 20 $sampled --seed 7 'What color is grass?' 'What color is the sky?' | tail -n 1)
other=$($RX run --max 20 $sampled --seed 8 'What color is the sky?' | tail -n 1)
[ "$first" = "$again" ] && [ "$first" != "$other" ] && ok 'the seed decides' ||
    not_ok 'the seed decides' "$first / $again / $other"
says 'expectations and sampling' 0 \
    "radixscope: expectations belong to the script's own sampling; not checked with --seed 3" \
    $RX play shared-system-prompt --plain --seed 3

# ---- another model than the one in the box: its chat template is unknown, and the pools are small for it
other=$tmp/other
mkdir -p "$other"
cp data/model/config.json data/model/generation_config.json data/model/model.safetensors data/model/tokenizer.json "$other"
echo '{"chat_template":"{% for m in messages %}## {{ m }}{% endfor %}"}' > "$other/tokenizer_config.json"
said="radixscope: the chat template of \$/other is none of ChatML, Llama-2, Llama-3, Mistral and the box's;
  messages are written as plain text"
says 'unknown chat template' 0 "$said" $RX run --model "$other" hello --max 2
says 'unknown chat template, in compare once' 0 "$said" $RX compare --model "$other" hello --max 2
has 'unknown chat template, doctor' 0 'chat form unknown: plain text is used' $RX doctor --model "$other"
has 'a pool that is too small for the model' 1 \
    'Nothing is proved: no request was answered. Try a larger pool: --pool 1024' $RX compare --model "$other" --pool 8

# ---- compare
run $RX compare --json
numbers=$(printf '%s' "$out" | grep -oE '"prompt_tokens":[0-9]+,"cached_tokens":[0-9]+,"generated_tokens":[0-9]+,"tokens_equal":[a-z]+,"max_abs_logit_diff":[^,]*' |
    sed 's/"generated_tokens":[0-9]*,//; s/"[a-z_]*"://g' | tr '\n' ' ')
if [ "$rc" = 0 ] && [ "$numbers" = '36,0,true,0.0 36,29,true,0.0 36,29,true,0.0 ' ]; then ok 'compare: 36/0, 36/29, 36/29, no difference'; else
    not_ok 'compare: 36/0, 36/29, 36/29, no difference' "rc $rc: $numbers"
fi
for damage in row slot; do
    run $RX compare --json --break=$damage
    case $rc$out in
    1*'"equal":false'*) ok "compare catches a broken $damage" ;;
    *) not_ok "compare catches a broken $damage" "rc $rc: $out" ;;
    esac
done
has 'compare for people' 0 'exact mode allows none' $RX compare
has 'compare of prompts' 0 'Equal: largest difference of a logit 0 over' $RX compare 'What color is grass?' 'What color is snow?'
has 'compare in fast mode' 0 'fast mode allows' $RX compare --fast
has 'compare without a model' 1 'there is nothing to compare' $RX compare data/scenarios/two-strings.rxs

run $RX compare --json
cost=$(printf '%s' "$out" | grep -oE '"flops":[0-9]+' | tr '\n' ' ')
run $RX compare --json --break row
[ "$(printf '%s' "$out" | grep -oE '"flops":[0-9]+' | tr '\n' ' ')" = "$cost" ] && [ -n "$cost" ] &&
    ok 'a damaged comparison counts the same operations' || not_ok 'a damaged comparison counts the same operations' "$out"
run $RX compare hi --pool 4
case $rc$out in
*qual:*) not_ok 'nothing is equal when nothing was answered' "$out" ;;
1*'refused: request 1 cannot run'*'no request was answered'*) ok 'nothing is equal when nothing was answered' ;;
*) not_ok 'nothing is equal when nothing was answered' "rc $rc: $out" ;;
esac
printf 'pool 12\nrequest "What color is grass?" raw max=2\nrequest "Once there was a fox." raw max=60\n' >"$tmp/cut.rxs"
for how in run compare; do
    run $RX $how "$tmp/cut.rxs" --json
    case $out in
    *'"outcome":"answered"'*'"outcome":"cut off"'*) ok "$how: a request that was cut off was not answered" ;;
    *) not_ok "$how: a request that was cut off was not answered" "$out" ;;
    esac
done
has 'compare says what was cut off' 1 'cut off: request 2 was cut off' $RX compare "$tmp/cut.rxs"
has 'and how many are left' 1 'Only 1 of 2 requests answered' $RX compare "$tmp/cut.rxs"

# ---- check-model: the model in the box brings reference.json; one changed token is noticed
run $RX check-model data/model
case $rc$out in
0*'against reference.json'*'24 conversations: greedy tokens'*) ok 'check-model of the model in the box' ;;
*) not_ok 'check-model of the model in the box' "rc $rc: $out$err" ;;
esac
has 'check-model --json' 0 '{"pass":true,"modes":{"exact":{"max_abs_logit_diff":null,' $RX check-model data/model --json
mkdir "$tmp/altered"
cp data/model/*.json data/model/model.safetensors "$tmp/altered"
for change in 's/"greedy_ids": .731, 258/"greedy_ids": [731, 259/' 's/"text": "Grass is green/"text": "Grass is red/' \
    's/"ids": .2043, 314/"ids": [2043, 315/'; do
    sed "$change" data/model/reference.json >"$tmp/altered/reference.json"
    cmp -s data/model/reference.json "$tmp/altered/reference.json" && not_ok "nothing changed: $change"
    has "check-model notices $change" 1 'FAIL' $RX check-model "$tmp/altered"
done
rm "$tmp/altered/reference.json"
has 'check-model without expectations' 1 'check-model needs expect.json and expect.safetensors, or reference.json' \
    $RX check-model "$tmp/altered"

# ---- pipes, full disks, ^C
sh -c "$RX play shared-system-prompt; echo \$? >'$tmp/rc'" 2>"$tmp/err" | head -n 1 >/dev/null
if [ ! -s "$tmp/err" ] && [ "$(cat "$tmp/rc")" = 0 ]; then ok 'a reader that goes away'; else
    not_ok 'a reader that goes away' "$(cat "$tmp/rc" "$tmp/err")"
fi
# a device of our own that is always full: root may make one, and not in every container
if mknod "$tmp/full" c 1 7 2>/dev/null && [ -w "$tmp/full" ] && ( : >"$tmp/full" ) 2>/dev/null; then
    $RX play shared-system-prompt >"$tmp/full" 2>"$tmp/err" </dev/null
    rc=$?
    if [ $rc = 1 ] && grep -q 'standard output cannot be written: No space left' "$tmp/err"; then ok 'a full disk'; else
        not_ok 'a full disk' "rc $rc: $(cat "$tmp/err")"
    fi
    has 'a recording on a full disk' 1 "$tmp/full cannot be written: No space left" $RX record two-strings -o "$tmp/full"
    [ -c "$tmp/full" ] && ok 'the device is still there' || not_ok 'the device is still there'
fi
mkfifo "$tmp/fifo"
has 'replay of a FIFO' 1 "$tmp/fifo is not a regular file" timeout 10 $RX replay "$tmp/fifo"

# what is closed must not become a pipe of ours: the output would arrive there as a signal
timeout 20 $RX run hi <&- >"$tmp/out" 2>"$tmp/err"
rc=$?
if [ $rc = 0 ] && grep -q 'prompt tokens' "$tmp/out"; then ok 'standard input is closed'; else not_ok 'standard input is closed' "rc $rc"; fi
timeout 20 $RX run hi <&- >&- 2>"$tmp/err"
rc=$?
if [ $rc = 1 ] && [ "$(cat "$tmp/err")" = 'radixscope: standard output cannot be written: Bad file descriptor' ]; then
    ok 'standard output is closed'
else not_ok 'standard output is closed' "rc $rc: $(cat "$tmp/err")"; fi
timeout 20 $RX run hi <&- >&- 2>&-
rc=$?
[ $rc = 1 ] && ok 'everything is closed' || not_ok 'everything is closed' "rc $rc"
awk 'BEGIN { print "pool 100000"; for (i = 0; i < 3000; i++) printf "request \"Tell me about %d\" max=900\n", i }' >"$tmp/long.rxs"
# ^C itself is ignored by what a shell starts in the background; SIGTERM goes the same way
$RX run "$tmp/long.rxs" >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
sleep 0.5
kill -TERM $pid
wait $pid
rc=$?
if [ $rc = 143 ] && grep -q 'interrupted: the request that ran was given up' "$tmp/err"; then ok 'a run that is told to end'; else
    not_ok 'a run that is told to end' "rc $rc: $(cat "$tmp/err")"
fi
# compare, too, while it computes one long prompt: the cold run and the timed passes are the longest part
awk 'BEGIN { printf "pool 2000\nrequest \""; for (i = 0; i < 500; i++) printf "cat "; print "\" max=500" }' >"$tmp/one.rxs"
for delay in 0.1 0.3 0.5; do
    $RX compare "$tmp/one.rxs" >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    sleep $delay
    kill -TERM $pid
    wait $pid
    rc=$?
    if [ $rc = 143 ] && grep -q 'interrupted; nothing was compared' "$tmp/err" && [ ! -s "$tmp/out" ]; then
        ok "compare told to end after $delay s"
    else not_ok "compare told to end after $delay s" "rc $rc: $(cat "$tmp/err")"; fi
done

# foreign files open as they are: what import would write is made in memory
$RX export kv-events two-strings -o "$tmp/ev.jsonl" >/dev/null && $RX export kv-events two-strings --format msgpack -o "$tmp/ev.msgpack" >/dev/null
$RX import "$tmp/ev.jsonl" -o "$tmp/ev.rxs" >/dev/null
$RX play "$tmp/ev.rxs" --plain </dev/null | sed 1d >"$tmp/want"
for f in "play $tmp/ev.jsonl" "replay $tmp/ev.jsonl" "play $tmp/ev.msgpack"; do
    $RX $f --plain </dev/null 2>"$tmp/err" | sed 1d >"$tmp/out"
    if [ -s "$tmp/want" ] && cmp -s "$tmp/want" "$tmp/out"; then ok "${f%% *} opens ${f##*.}"; else not_ok "${f%% *} opens ${f##*.}" "$(cat "$tmp/err")"; fi
done
echo '{"messages":[{"role":"user","content":"Where do fish live?"}]}' >"$tmp/talk.jsonl"
if $RX play "$tmp/talk.jsonl" --plain </dev/null 2>"$tmp/err" | grep -q '^[0-9]* ANSWER req=1'; then ok 'a conversation is played'; else
    not_ok 'a conversation is played' "$(cat "$tmp/err")"
fi

exit $failed
