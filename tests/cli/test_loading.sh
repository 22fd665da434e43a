#!/bin/sh
# KV events and conversations on the screen while they are read: real keys under tmux, and a FIFO for a file, so that what
# has not been written yet cannot have been read. A part of each as a scenario.
cd "$(dirname "$0")/../.." || exit 1
program=$(cd "${BUILD:-build}" && pwd)/radixscope
work=$(mktemp -d) || exit 1
server=rxloading$$
unset TMUX NO_COLOR
LC_ALL=C.UTF-8 RADIXSCOPE_DATA=${RADIXSCOPE_DATA:-$PWD/data} XDG_CONFIG_HOME=$work XDG_STATE_HOME=$work/state
export LC_ALL RADIXSCOPE_DATA XDG_CONFIG_HOME XDG_STATE_HOME
tm() { tmux -L "$server" -f /dev/null "$@" 2> /dev/null; }
screen() { tm capture-pane -p -t w; }
trap 'tm kill-server; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
failed=0
check() { # NAME COMMAND…
    what=$1; shift
    if "$@"; then echo "ok - $what"; else echo "not ok - $what"; screen | sed 's/^/    /'; failed=1; fi
}
shows() { # at most ten seconds
    n=0
    until screen | grep -q -e "$1"; do
        n=$((n + 1)); [ $n -gt 100 ] && return 1
        sleep 0.1
    done
}
press() { for key in "$@"; do tm send-keys -t w "$key"; done; }
runs=0
open() { # FILE [OPTION…]: in a shell that stays, so that what is said at the end can be seen
    runs=$((runs + 1))
    tm send-keys -t w -l "clear; $program play $*; echo left $runs with \$?"
    tm send-keys -t w Enter
}

talk() { # FROM TO: conversations of one request each
    i=$1
    while [ "$i" -le "$2" ]; do
        printf '{"messages":[{"role":"user","content":"Hi %d"}]}\n' $((i % 9)); i=$((i + 1))
    done
}
events() { # FROM TO: a block below the root each
    i=$1
    while [ "$i" -le "$2" ]; do
        printf '{"seq":%d,"ts":1,"events":[["BlockStored",[%d],null,[%d,7],2]]}\n' "$i" "$i" "$i"; i=$((i + 1))
    done
}

# ---- parts ----------------------------------------------------------------------------------------------------
talk 1 80 > "$work/talk.jsonl"
events 1 80 > "$work/kv.jsonl"
cut_out() { # FILE RANGE
    timeout 20 "$program" import "$work/$1.jsonl" --requests "$2" -o "$work/part.rxs" > "$work/out" 2> "$work/err"
}
plays() { # PATTERN COUNT
    [ "$(timeout 20 "$program" play "$work/part.rxs" --plain < /dev/null | grep -c "$1")" = "$2" ]
}
tells() { cut_out "$1" "$2"; [ $? = 1 ] && grep -qF "$3" "$work/err"; }
check 'a part of conversations is cut out' cut_out talk 21-23
check 'and is a scenario of these requests' plays '^[0-9]* ANSWER ' 3
check 'under their own names' grep -q 'label="c22.1"' "$work/part.rxs"
check 'sixty of them at most' tells talk 1-61 'an excerpt has at most 60 requests'
check 'from one on, if not too many follow' cut_out talk 21-
check 'else it is said' tells talk 20- 'an excerpt has at most 60 requests'
check 'requests that are not there' tells talk 79-81 'has 80 requests; there is no request 81'
check 'a part of KV events is cut out' cut_out kv 21-23
check 'and is a scenario of these records' plays '^[0-9]* INSERTED ' 3
check 'that says what it is' grep -q 'say "Records 21 to 23 of a recording' "$work/part.rxs"
check 'sixty of them, too' tells kv 20- 'an excerpt has at most 60 records'
check 'records that are not there' tells kv 81 'there are 80 records; there is no record 81'

if ! command -v tmux > /dev/null; then
    echo "skip - tmux is not installed"
    exit $failed
fi
tm -u new-session -d -s w -x 100 -y 30 "PS1='ready> ' sh"
shows 'ready>'

# ---- conversations --------------------------------------------------------------------------------------------
fifo=$work/later.jsonl
mkfifo "$fifo"
exec 9<> "$fifo" # nobody waits for the other end, and the file does not end before we say so
talk 1 40 >&9
open "$fifo"
check 'the stepper is open while the file is not there' shows 'step 1 of [0-9]*+'
check 'how far it is stands in the line of time' shows 'loading: 40 requests '
press Right Right
check 'keys move' shows 'step 3 of [0-9]*+'
press 3 0 ']'
check 'a request that has come is jumped to' shows 'Request 30 arrives'
press 6 0 ']'
check 'one that has not come is said' shows 'There is no request 60 yet'
press : ; tm send-keys -t w -l state; tm send-keys -t w Enter
check 'what needs the whole file says so' shows 'the file is still being read'
talk 41 70 >&9
check 'more comes' shows 'loading: 70 requests'
press 6 0 ']'
check 'and can be jumped to' shows 'Request 60 arrives'
echo '{"messages":[{"role":"king","content":"x"}]}' >&9
check 'a wrong line is told with line and field' shows 'later.jsonl: line 71: field "messages\[0\].role"'
press Home 6 9 ']'
check 'what came before it stays' shows 'Request 69 arrives'
press q
check 'and it is told again at the end' shows "left $runs with 1"

# ---- leaving while nothing comes -------------------------------------------------------------------------------
talk 1 10 >&9
open "$fifo"
check 'a second one' shows 'loading: 10 requests'
press q
check 'is left at once' shows "left $runs with 0"

# ---- KV events -------------------------------------------------------------------------------------------------
rm "$fifo"
exec 9>&-
mkfifo "$fifo"
exec 9<> "$fifo"
events 1 50 >&9
open "$fifo" --pool 400
check 'KV events open as well' shows 'step 1 of [0-9]*+'
check 'their records are counted' shows 'loading: 50 records'
press End
check 'the last step so far' shows 'step \([0-9]*\) of \1+'
events 51 90 >&9
check 'more of them come' shows 'loading: 90 records'
exec 9>&-
check 'until the file ends' shows 'step [0-9]* of [0-9]*$'
press End
check 'and all of them are there' shows 'Radix tree: 90 nodes, 180 tokens'
press : ; tm send-keys -t w -l 'evict 2'; tm send-keys -t w Enter
check 'commands go on from there' shows 'evict'
press q
check 'and it is left' shows "left $runs with 0"
exit $failed
