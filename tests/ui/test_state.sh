#!/bin/sh
# A state string opens the same screen elsewhere, and says the same of it: state(open(state(s))) is state(s).
cd "$(dirname "$0")/../.." || exit 1
program=$PWD/${BUILD:-build}/radixscope
if ! command -v tmux > /dev/null; then
    echo "skip - tmux is not installed"
    exit 0
fi
server=rxstate$$
work=$(mktemp -d) || exit 1
trap 'tm kill-server; rm -rf "$work"' EXIT
unset NO_COLOR RADIXSCOPE_DATA
export XDG_CONFIG_HOME="$work"
opened=0 # a server that is killed takes a moment to go: each session has its own
tm() { tmux -L "$server-$opened" -f /dev/null "$@" 2> /dev/null; }
screen() { tm capture-pane -p -t w; }
failed=0
check() {
    what=$1; shift
    if "$@"; then echo "ok - $what"; else echo "not ok - $what"; screen | sed 's/^/    /'; failed=1; fi
}
# Wait until the screen shows something: at most 8 seconds.
shows() {
    n=0
    until screen | grep -q -e "$1"; do
        n=$((n + 1)); [ $n -gt 80 ] && return 1
        sleep 0.1
    done
}
open() { # words of the command line
    tm kill-server
    opened=$((opened + 1))
    tm new-session -d -s w -x 200 -y 50 "LC_ALL=C.UTF-8 '$program' play $*"
    shows 'keys'
}
say() { tm send-keys -t w : ; tm send-keys -t w -l "$1"; tm send-keys -t w Enter; }
state_of() { say state; shows 'rx1:' && screen | tr -d ' \n' | sed 's/││//g' | LC_ALL=C grep -ao 'rx1:[A-Za-z0-9_-]*'; }

same() { # after the keys that were pressed: state, screen, open elsewhere, state, screen
    one=$(state_of) || return 1
    open "$one" || return 1
    shows "$1" || return 1
    two=$(state_of) || return 1
    [ "$one" = "$two" ] || { echo "$one"; echo "$two"; return 1; }
}

open small-pool
shows 'step 1 of 76'
tm send-keys -t w 4 0 G
shows 'step 40 of'
check "a step of a scenario" same 'step 40 of'
open shared-system-prompt --policy mru --max 6
tm send-keys -t w ']' ']'
shows 'request 2 of'
say 'rest swap'
shows 'branch 2 of 2'
tm send-keys -t w B
shows 'two histories side by side'
check "a branch beside another one, with options" same 'two histories side by side'
check "the screen is the one that was left" shows 'branch 2 of 2'

printf 'title "Mine"\ntokens letters\npool 32\ninsert "the cat sat"\ninsert "the cat ran"\n' > "$work/mine.rxs"
open "$work/mine.rxs"
shows 'Mine'
tm send-keys -t w 7 G
check "a script of one's own travels in the line" same 'Mine'
rm "$work/mine.rxs"
one=$(state_of)
tm kill-server
out=$("$program" play --plain "$one")
check "without a terminal the place is printed" test "$(echo "$out" | sed -n 3p | cut -d' ' -f1)" = 7

refuse() { # string, exit code, word
    out=$("$program" play --plain "$1" 2>&1)
    [ $? -eq "$2" ] && echo "$out" | grep -q "$3"
}
check "a letter less" refuse "${one%?}" 1 'cut off'
check "a newer version" refuse "rx2:AAAA" 2 'newer'
check "another letter" refuse "rx1:$(echo "${one#rx1:}" | tr 'A-Za-z' 'B-ZAb-za')" 1 'checksum'
exit $failed
