#!/bin/sh
# Every lesson of the course under tmux, by keys alone, from its first word to its sheet: `lesson keys` reads the answers
# from the lesson and the engine; here they are pressed, one at a time, and the screen must follow.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
PROGRAM=$(cd "$BUILD" && pwd)/radixscope
if ! command -v tmux > /dev/null; then
    echo "skip - tmux is not installed"
    exit 0
fi
unset TMUX NO_COLOR
dir=$(mktemp -d)
LC_ALL=C.UTF-8 RADIXSCOPE_DATA=${RADIXSCOPE_DATA:-$PWD/data} XDG_CONFIG_HOME=$dir XDG_STATE_HOME=$dir
export LC_ALL RADIXSCOPE_DATA XDG_CONFIG_HOME XDG_STATE_HOME
server=radixscope-lesson-$$ turn=0
failed=0
T() { # a server for each lesson: one that is being ended may not be asked
    tmux -L $server-$turn -f /dev/null "$@" 2> /dev/null
}
trap 'T kill-server; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

wait_for() { # until the pattern is on the screen, at most twenty seconds
    n=0
    while [ $n -lt 400 ]; do
        T capture-pane -p -t s | grep -q -- "$1" && return 0
        sleep 0.05
        n=$((n + 1))
    done
    return 1
}

# As commands of tmux: sent at once, because the terminal queues keys and the program reads them in order. Enter goes on
# only from the end of a text, so pages come first; where all is in sight they do nothing.
commands() {
    before=key
    while read -r what rest; do
        [ "$before $what $rest" = "key key Enter" ] && echo "send-keys -t s -N 6 NPage"
        before=$what
        if [ "$what" = type ]; then
            printf "send-keys -t s -l '%s'\n" "$(printf %s "$rest" | sed "s/'/'\\\\''/g")"
        else
            printf "send-keys -t s '%s'\n" "$rest"
        fi
    done
}

take() { # LESSON WIDTH HEIGHT
    T kill-server
    turn=$((turn + 1))
    "$PROGRAM" lesson keys "$1" | commands > "$dir/keys" || return 1
    sed '$d' "$dir/keys" > "$dir/most" # all but the last Enter, which leaves the sheet
    T -u new-session -d -s s -x "$2" -y "$3" "'$PROGRAM' lesson $1; echo left with \$?; cat"
    wait_for "part 1 of" || return 1
    T source-file "$dir/most"
    wait_for 'part \([0-9]*\) of \1\b' || return 1
    T send-keys -t s -N 6 NPage
    T send-keys -t s Enter
    wait_for "left with 0" && grep -q "^$1 done" "$dir/radixscope/progress"
}

for file in lessons/*.md; do
    id=$(sed -n 's/^id: *//p' "$file" | head -n 1)
    sizes="120 40"
    [ "$id" = split ] && sizes="120 40:80 24:60 16" # the narrow screens once
    for size in $(echo "$sizes" | tr ' :' 'x '); do
        rm -rf "$dir/radixscope"
        if take "$id" "${size%x*}" "${size#*x}"; then
            echo "ok - $id at $size"
        else
            echo "not ok - $id at $size"
            failed=1
            T capture-pane -p -t s | sed 's/^/#   /'
        fi
    done
done
# On a small screen Enter reads on before it goes on, and a timeline does not tell what is still asked.
check() { # NAME PATTERN KEYS… : after the keys the pattern is on the screen
    name=$1 pattern=$2
    shift 2
    for key in "$@"; do T send-keys -t s "$key"; done
    if wait_for "$pattern"; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        failed=1
        T capture-pane -p -t s | sed 's/^/#   /'
    fi
}
T kill-server
turn=$((turn + 1))
T -u new-session -d -s s -x 60 -y 16 "'$PROGRAM' lesson eviction --no-save"
check "a text that goes on says so" "PgDn: more" Enter Enter Enter
check "Enter reads on" "PgUp" Enter
check "and then goes on" "part 3 of" Enter
check "the timeline ends where the lesson stands" "@h-----*  h hit m miss" Enter
exit $failed
