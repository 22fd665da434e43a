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
exit $failed
