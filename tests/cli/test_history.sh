#!/bin/sh
# --history-mb: what fits is kept, what does not is said, on every way of watching a run.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
RX=$BUILD/radixscope
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-history.XXXXXX") || exit 1
XDG_STATE_HOME=$tmp/state
export XDG_STATE_HOME
server=radixscope-history-$$
trap 'for s in radixscope-history-$$ radixscope-history-$$-2; do tmux -L $s kill-server 2>/dev/null; done; rm -rf "$tmp"' EXIT
failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; shift; [ $# -gt 0 ] && printf '    %s\n' "$@"; return 0; }
verdict() { if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2" "$(head -c 600 "$tmp/err" 2>/dev/null)"; fi; }
FULL='history is full: the limit of --history-mb is reached'
ADVICE='every step so far is kept; to go further, start again with a larger --history-mb'
SMALL=0.003

# A script that needs some history, without any model.
{
    printf 'title "Many keys"\ntokens letters\npool 512\n'
    i=100
    while [ $i -lt 300 ]; do printf 'insert "key %d"\n' $i; i=$((i + 1)); done
} >"$tmp/many.rxs"

# ---- printed
timeout 20 "$RX" play "$tmp/many.rxs" --history-mb $SMALL --plain </dev/null >"$tmp/part" 2>"$tmp/err"
[ $? = 1 ] && grep -qF "$FULL" "$tmp/err" && grep -qF "$ADVICE" "$tmp/err"
verdict $? 'play says that history is full, and what to do'
timeout 20 "$RX" play "$tmp/many.rxs" --plain </dev/null >"$tmp/all" 2>"$tmp/err"
steps=$(grep -c '^[0-9]' "$tmp/part") all=$(grep -c '^[0-9]' "$tmp/all")
[ "$steps" -gt 20 ] && [ "$steps" -lt "$all" ] && head -n "$(wc -l <"$tmp/part")" "$tmp/all" | cmp -s - "$tmp/part"
verdict $? "the $steps steps before it (of $all) are all there"
timeout 20 "$RX" play "$tmp/many.rxs" --history-mb 64 --plain </dev/null 2>"$tmp/err" | cmp -s - "$tmp/all"
verdict $? 'a limit that is not reached changes nothing'
timeout 20 "$RX" replay "$tmp/many.rxs" --history-mb $SMALL --plain </dev/null 2>"$tmp/err" | cmp -s - "$tmp/part"
verdict $? 'replay of a script takes it, too'
n=0
for mb in 0.001 0.002 0.005 0.01 0.02; do
    timeout 20 "$RX" play "$tmp/many.rxs" --history-mb $mb --plain </dev/null 2>/dev/null | grep -c '^[0-9]' >>"$tmp/lengths"
    n=$((n + 1))
done
sort -n "$tmp/lengths" | cmp -s - "$tmp/lengths" && [ "$(sort -u "$tmp/lengths" | wc -l)" = $n ]
verdict $? 'a larger limit keeps more steps'

# ---- run, with a model: the answers before it are printed, the JSON is whole
cat >"$tmp/ask.rxs" <<'EOF'
pool 512
request "What color is grass?"
request "Where do fish live?"
request "How do birds fly?"
EOF
mb=0.005
timeout 60 "$RX" run "$tmp/ask.rxs" --history-mb $mb >"$tmp/out" 2>"$tmp/err"
[ $? = 1 ] && grep -qF "$FULL" "$tmp/err" && grep -q '^request 1: ' "$tmp/out" && ! grep -q '^request 3: ' "$tmp/out"
verdict $? 'run keeps the answers it has'
timeout 60 "$RX" run "$tmp/ask.rxs" --history-mb $mb --json >"$tmp/out" 2>"$tmp/err"
[ $? = 1 ] && head -c 14 "$tmp/out" | grep -qF '{"requests":[' && tail -n 1 "$tmp/out" | grep -qF ']}'
verdict $? 'run --json ends as JSON'
timeout 60 "$RX" run --history-mb $mb 'What color is grass?' 'Where do fish live?' 'How do birds fly?' >"$tmp/out" 2>"$tmp/err"
[ $? = 0 ] && grep -q '^request 3: ' "$tmp/out"
verdict $? 'bare prompts keep no history that could be full'

# ---- record saves what fitted
timeout 20 "$RX" record "$tmp/many.rxs" --history-mb $SMALL -o "$tmp/part.rxt" >"$tmp/out" 2>"$tmp/err"
[ $? = 1 ] && grep -qF "$FULL" "$tmp/err" && grep -q "part.rxt: $steps steps" "$tmp/out"
verdict $? 'record says so and saves what there is'
timeout 20 "$RX" replay "$tmp/part.rxt" --plain </dev/null >"$tmp/again" 2>"$tmp/err"
cmp -s "$tmp/again" "$tmp/part"
verdict $? 'the recording holds the same steps'

# ---- the screen and the conversation
screen() { tmux -L "$server" capture-pane -p 2>/dev/null; }
wait_for() {
    tries=0
    while [ $tries -lt 100 ]; do
        screen | grep -qF -- "$1" && return 0
        tries=$((tries + 1))
        sleep 0.05
    done
    screen >"$tmp/err"
    return 1
}
LC_ALL=C.UTF-8 tmux -L "$server" -f /dev/null new-session -d -x 120 -y 40 \
    "LC_ALL=C.UTF-8 TERM=screen $RX play $tmp/many.rxs --history-mb $SMALL; sleep 5"
wait_for 'history is full'
verdict $? 'the screen says so'
wait_for 'larger --history-mb'
verdict $? 'and what to do'
tmux -L "$server" send-keys End
wait_for "step $steps of $steps"
verdict $? 'all its steps can be walked'
! screen | grep -q 'history is full' # a key took the message away
verdict $? 'the message is gone after a key'
tmux -L "$server" send-keys : 'insert xyz' Enter
wait_for 'history is full'
verdict $? 'a command is told the same'
tmux -L "$server" kill-server 2>/dev/null
server=$server-2 # a server that is going away takes no new sessions
LC_ALL=C.UTF-8 tmux -L "$server" -f /dev/null new-session -d -x 200 -y 40 \
    "$RX play $tmp/many.rxs --history-mb $SMALL --plain; sleep 5"
wait_for "$ADVICE"
verdict $? 'the conversation says so'
tmux -L "$server" send-keys last Enter
wait_for "$(tail -n 1 "$tmp/part" | cut -c1-60)"
verdict $? 'and goes to the last step that was kept'

# ---- wrong
for mb in 0 -1 x 1e99 nan 5MB; do
    timeout 20 "$RX" play two-strings --history-mb=$mb >"$tmp/out" 2>"$tmp/err"
    [ $? = 2 ] && grep -qF "not '$mb'" "$tmp/err"
    verdict $? "--history-mb $mb is refused"
done
timeout 20 "$RX" replay "$tmp/part.rxt" --history-mb 1 >"$tmp/out" 2>"$tmp/err"
[ $? = 2 ] && grep -q 'a recording is complete' "$tmp/err"
verdict $? 'a recording takes none'
exit $failed
