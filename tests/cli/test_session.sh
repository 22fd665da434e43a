#!/bin/sh
# play --plain at a terminal: a conversation. The real binary under tmux.
BUILD=${BUILD:-build}
server=radixscope-session-$$
work=$(mktemp -d) || exit 1
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
trap 'tmux -L $server kill-server 2>/dev/null; rm -rf "$work"' EXIT
failed=0

screen() { tmux -L "$server" capture-pane -p; }

# wait_for TEXT: until the screen shows it
wait_for() {
    tries=0
    while [ $tries -lt 100 ]; do
        screen | grep -qF -- "$1" && return 0
        tries=$((tries + 1))
        sleep 0.05
    done
    return 1
}

# say NAME LINE TEXT: type LINE, the screen must show TEXT
say() {
    tmux -L "$server" send-keys -l "$2"
    tmux -L "$server" send-keys Enter
    if wait_for "$3"; then echo "ok - $1"; else
        echo "not ok - $1"
        screen | sed 's/^/    /'
        failed=1
    fi
}

tmux -L "$server" -f /dev/null new-session -d -x 200 -y 60 \
    "$BUILD/radixscope play two-strings --plain; echo left with \$?; sleep 20"
wait_for 'help lists the commands' && echo 'ok - begins with a title' || { echo 'not ok - begins with a title'; failed=1; }
say 'next' 'next' '1 START pool=32'
say 'n' 'n' '2 NOTE text='
say 'next operation' 'op' '3 MATCH_PREFIX units=11 of=11'
say 'find' 'find split_node' '13 SPLIT_NODE node=1 upper=2 at=8'
say 'show' 'show' 'node 2 (B)  8 tokens  "the cat "'
say 'back' 'b' '12 MATCH_PREFIX'
say 'back by kind' 'back insert' '8 INSERT units=11'
say 'goto' 'goto 4' '4 NO_CHILD node=0'
say 'a step that does not exist' 'goto 99' '! goto needs a step from 0 to 35'
say 'a bare number that does not exist' '77' '! goto needs a step from 0 to 35, not '"'77'"
say 'an unknown kind' 'find spilt_node' "did you mean split_node?"
say 'an unknown word' 'insrt x' "'insrt' is no command; did you mean insert?"
say 'a setting' 'pool 3' 'pool is a setting of the whole run'
say 'why' 'why 13' '  step 12: '
say 'why not' 'why x' '! why needs a step from 1 to 35'
say 'last' 'last' '35 MATCHED'
say 'beyond the end' 'n' '! this is the last step'
say 'act' 'insert "the dog"' '48 INSERTED'
say 'act in the past' '10' '10 INSERTED node=1'
say 'a new branch' 'insert "xyz"' '# a new branch, 2, from step 10 on'
say 'its steps' 'last' '18 INSERTED node=2 matched=0 added=3'
say 'no queue without a schedule' 'queue' 'requests run one at a time'
say 'help' 'help' 'Anything else is a command of the script language'
say 'quit' 'q' 'left with 0'

tmux -L "$server" kill-server 2>/dev/null
server=$server-schedule
tmux -L "$server" -f /dev/null new-session -d -x 200 -y 60 \
    "$BUILD/radixscope play lpm-starves --plain; echo left with \$?; sleep 20"
wait_for 'help lists the commands' && echo 'ok - a schedule' || { echo 'not ok - a schedule'; failed=1; }
say 'the batch fills up' 'find batch_full' 'BATCH_FULL running=1'
say 'somebody is passed' 'find times' 'TIMES req=1'
say 'queue' 'queue' 'Waiting: 2, in the order of the last pass'
say 'its clock' 'queue' 'a pass takes as long as h100 needs for llama-3.1-8b'
say 'quit the schedule' 'q' 'left with 0'
exit $failed
