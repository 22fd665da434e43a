#!/bin/sh
# radixscope alone at a terminal, and its code pane and numbers: the real binary under tmux.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
if ! command -v tmux > /dev/null; then
    echo "skip - tmux is not installed"
    exit 0
fi
server=radixscope-home-$$
work=$(mktemp -d) || exit 1
program=$(cd "$BUILD" && pwd)/radixscope
unset TMUX NO_COLOR
LC_ALL=C.UTF-8 RADIXSCOPE_DATA=$PWD/data XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state
export LC_ALL RADIXSCOPE_DATA XDG_CONFIG_HOME XDG_STATE_HOME
trap 'tmux -L $server kill-server 2>/dev/null; rm -rf "$work"' EXIT
failed=0

screen() { tmux -L "$server" capture-pane -p; }
press() { for key in "$@"; do tmux -L "$server" send-keys "$key"; done; }
# sees NAME TEXT: the screen must show TEXT within ten seconds
sees() {
    tries=0
    while [ $tries -lt 200 ]; do
        screen | grep -qF -- "$2" && { echo "ok - $1"; return; }
        tries=$((tries + 1))
        sleep 0.05
    done
    echo "not ok - $1"
    screen | sed 's/^/    /'
    failed=1
}

tmux -L "$server" -f /dev/null -u new-session -d -x 80 -y 24 "$program; echo left with \$?; sleep 30"
sees 'the home screen' 'what can be opened'
press Tab
sees 'scenarios' '> adapters'
press Down
sees 'Down chooses' '> agent-loop'
press End Up Up
sees 'the sandbox' '> chat'
press Down
press Enter
sees 'Enter opens it' 'Sandbox with letters'
press Right ':'
tmux -L "$server" send-keys -l 'insert "the cat sat"'
sees 'tokens while they are typed' '11 tokens: t|h|e'
press Enter
sees 'a command runs' 'step 3 of'
press End
press 8 G
sees 'a step of the insert' 'step 8 of'
press x C-u
tmux -L "$server" send-keys -l "$work/mine.rxs"
press Enter
sees 'the session is written' 'Written to'
press x C-u
tmux -L "$server" send-keys -l "$work/mine.rxt"
press Enter
sees 'as a recording, too' 'mine.rxt'
press c
sees 'the code pane' "the step in the program's own source"
sees 'with its file' 'src/cache/radix.c:'
press '#'
sees 'the numbers' 'tokens saved'
press Escape q
sees 'q comes back to the home screen' 'what can be opened'
sees 'the choice stays' '> letters'
press Home
sees 'where the person was' 'Where you were: step 8'
press q
sees 'q leaves' 'left with 0'
printf 'play\ntwo-strings\n9\n' > "$work/state/radixscope/last"
tmux -L "$server" respawn-window -k "$program; echo left with \$?; sleep 30"
sees 'continue comes first' '> two-strings'
press Enter
sees 'it opens at the step' 'step 9 of'
press C-c
sees '^C leaves' 'left with 130'
[ "$(cat "$work/state/radixscope/last")" = "$(printf 'play\ntwo-strings\n9')" ] && echo 'ok - ^C forgets nothing' ||
    { echo 'not ok - ^C forgets nothing'; failed=1; }
printf 'nonsense' > "$work/state/radixscope/last"
if "$program" < /dev/null > "$work/menu" 2>&1 && grep -q 'exact-repeat' "$work/menu" && ! grep -q 'Where you were' "$work/menu"; then
    echo 'ok - a state that makes no sense is nothing'
else
    echo 'not ok - a state that makes no sense is nothing'
    failed=1
fi
"$program" play "$work/mine.rxs" --plain < /dev/null > "$work/again" 2>&1
if grep -q 'NEW_LEAF.*units=11' "$work/again" && "$program" replay "$work/mine.rxt" --plain < /dev/null | grep -v '^#' > "$work/film" &&
    grep -v '^#' "$work/again" | cmp -s - "$work/film"; then
    echo 'ok - the script makes the recorded steps'
else
    echo 'not ok - the script makes the recorded steps'
    diff "$work/again" "$work/film" | head -5
    failed=1
fi
# ---- traces ---------------------------------------------------------------------------------------------------
mkdir "$work/here" "$work/elsewhere"
i=0
while [ $i -lt 20 ]; do
    echo "{\"timestamp\": $((i * 10)), \"input_length\": 1100, \"output_length\": 5, \"hash_ids\": [1, 2, $((i + 3))]}"
    i=$((i + 1))
done > "$work/here/day.jsonl"
echo '{"no": "trace"}' > "$work/here/other.jsonl"
mkfifo "$work/here/fifo.jsonl"
rm -f "$work/state/radixscope/last"
menu_has() { # NAME FOLDER PATTERN: the text menu there
    if (cd "$2" && timeout 10 "$program" < /dev/null) > "$work/menu" 2>&1 && grep -q "$3" "$work/menu"; then echo "ok - $1"
    else
        echo "not ok - $1"
        sed 's/^/    /' "$work/menu"
        failed=1
    fi
}
menu_has 'the text menu lists a trace' "$work/here" '^  day.jsonl  *Mooncake, blocks of 512 tokens'
grep -q 'other.jsonl\|fifo.jsonl' "$work/menu" && { echo 'not ok - and nothing that is none'; failed=1; } || echo 'ok - and nothing that is none'
tmux -L "$server" respawn-window -k -c "$work/here" "$program; echo left with \$?; sleep 30"
sees 'the home screen has traces' 'what can be opened'
press End
tries=0
while [ $tries -lt 60 ] && ! screen | grep -q '> day.jsonl'; do press Up; tries=$((tries + 1)); done
sees 'with what they are' '> day.jsonl'
press Enter
sees 'Enter opens it' "sweep's rule, 512-token ids: day.jsonl"
press 5 G
sees 'at a step' 'step 5 of'
press q
sees 'back at home' '> day.jsonl'
press Home
sees 'a trace is continued' 'Where you were: step 5'
press Enter
sees 'at its step' 'step 5 of'
press q
sees 'home again' 'what can be opened'
press q
sees 'left from there' 'left with 0'
menu_has 'one that was opened is listed elsewhere' "$work/elsewhere" "$work/here/day.jsonl"
[ "$(grep -c 'day.jsonl' "$work/menu")" = 4 ] && echo 'ok - under continue, and once among traces' ||
    { echo 'not ok - under continue, and once among traces'; sed 's/^/    /' "$work/menu"; failed=1; }
menu_has 'and once in its own folder' "$work/here" '^  day.jsonl  *Mooncake'
[ "$(grep -c 'day.jsonl  *Mooncake' "$work/menu")" = 1 ] && echo 'ok - not twice' || { echo 'not ok - not twice'; failed=1; }
rm "$work/here/day.jsonl"
(cd "$work/elsewhere" && "$program" < /dev/null) > "$work/menu" 2>&1
grep -q 'day.jsonl  *Mooncake' "$work/menu" && { echo 'not ok - one that is gone is not offered'; failed=1; } || echo 'ok - one that is gone is not offered'
exit $failed
