#!/bin/sh
# A lesson given to a room, under tmux: a presenter, the speaker's notes, a follower on a screen and one in lines. All see
# one place; two answers make a distribution; a presenter who is killed is missed, and found again. Then: a lesson's state
# string opens the same steps.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
PROGRAM=$(cd "$BUILD" && pwd)/radixscope
if ! command -v tmux > /dev/null; then
    echo "skip - tmux is not installed"
    exit 0
fi
unset TMUX NO_COLOR
dir=$(mktemp -d)
LC_ALL=C.UTF-8 RADIXSCOPE_DATA=${RADIXSCOPE_DATA:-$PWD/data} XDG_CONFIG_HOME=$dir XDG_STATE_HOME=$dir XDG_RUNTIME_DIR=$dir
export LC_ALL RADIXSCOPE_DATA XDG_CONFIG_HOME XDG_STATE_HOME XDG_RUNTIME_DIR
server=radixscope-room-$$
sed "s/^id: split/id: room-$$/" lessons/04-split.md > "$dir/room.md" # a lesson that nobody else presents here
failed=0
T() { tmux -L $server -f /dev/null "$@" 2> /dev/null; }
trap 'T kill-server; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

sees() { # WHO PATTERN: until it is on that screen, at most twenty seconds
    n=0
    while [ $n -lt 400 ]; do
        T capture-pane -p -t "=$1:" | grep -q -- "$2" && return 0
        sleep 0.05
        n=$((n + 1))
    done
    echo "# $1 does not see: $2"
    T capture-pane -p -t "=$1:" | sed 's/^/#   /'
    return 1
}
all_see() { # PATTERN WHO…
    pattern=$1
    shift
    for who; do sees "$who" "$pattern" || return 1; done
}
case_of() { # WORDS, then what must succeed
    what=$1
    shift
    if "$@"; then echo "ok - $what"; else echo "not ok - $what"; failed=1; fi
}
start() { # WHO WIDTH HEIGHT OPTIONS
    T new-session -d -s "$1" -x "$2" -y "$3" "'$PROGRAM' lesson '$dir/room.md' $4; echo left with \$?; cat"
}
press() { T send-keys -t "=$1:" "$2"; }
type_in() { T send-keys -t "=$1:" -l "$2"; }

waiting() {
    start screen 80 24 --follow
    start lines 80 60 '--follow --plain'
    start speaker 120 40 --notes
    all_see 'Nobody presents' screen lines speaker
}
beginning() {
    T new-session -d -s teacher -x 120 -y 40 "exec '$PROGRAM' lesson '$dir/room.md' --present --no-save"
    all_see 'One prompt, one node' teacher screen lines speaker && sees teacher '2 follow' &&
        sees speaker 'Ask the room' && sees speaker 'of 7 min' && sees speaker 'Enter: watch first'
}
walking() {
    press teacher Enter
    sees screen 'step 1 of' && sees lines '^1 START' || return 1
    press teacher Right
    sees screen 'step 2 of' && sees lines '^2 ' || return 1
    press screen Left # who follows may look around
    sees screen 'step 1 of' && press screen Enter && sees screen 'step 2 of' || return 1
    press teacher Enter
    press teacher Enter
    press teacher Enter
    all_see 'How many new slots' teacher screen lines speaker && sees speaker 'Right is: 3'
}
answering() {
    type_in screen 3
    press screen Enter
    sees screen 'yours: 3' && sees teacher '1 of 2 have answered' || return 1
    type_in lines eleven
    press lines Enter
    sees lines 'must be a number' || return 1
    type_in lines 11
    press lines Enter
    sees teacher '2 of 2 have answered' && sees speaker '^.* 11  *#*█* 1$' || return 1
    T capture-pane -p -t =teacher: | grep -q '^  11 ' && return 1 # not before it is asked for
    press teacher Enter
    sees teacher '^  11  *█* 1 ' && sees screen '^  11  *█* 1$' && sees lines '^  11  *1$' || return 1
    T capture-pane -p -t =screen: | grep -q 'Right\.' && return 1
    press teacher Enter
    all_see 'Right\.' teacher screen lines speaker && sees screen '^ \*3 '
}
refusing() {
    press screen s
    sees screen 'The presenter leads here' || return 1
    press screen :
    type_in screen 'insert "x"'
    press screen Enter
    sees screen 'The presenter leads here' || return 1
    "$PROGRAM" lesson "$dir/room.md" --present --plain < /dev/null > "$dir/out" 2>&1
    [ $? = 1 ] && grep -q 'presented already' "$dir/out" && [ "$(wc -l < "$dir/out")" = 1 ]
}
trying() { # what the teacher types beside the path
    press teacher :
    type_in teacher 'insert "dog"'
    press teacher Enter
    all_see 'beside the path' teacher || return 1
    press teacher End
    sees teacher '"dog"' && sees screen '"dog"' || return 1
    press teacher Enter
    sees teacher 'Back on the path'
}
challenging() { # on to the challenge; its commands run on every engine; a late one gets them all
    n=0
    while [ $n -lt 60 ] && ! T capture-pane -p -t =teacher: | grep -q 'Commands so far: 0'; do
        press teacher Enter # at a question it tells what is right
        sleep 0.1
        n=$((n + 1))
    done
    sees teacher 'Commands so far: 0' && sees speaker 'Solution: insert' || return 1
    for key in ab acd; do
        press teacher :
        type_in teacher "insert \"$key\""
        press teacher Enter
    done
    all_see 'Commands so far: 2' teacher screen speaker && all_see '"cd"' teacher screen speaker || return 1
    start late 80 24 --follow
    sees late '"cd"' && sees late 'Commands so far: 2' || return 1
    press teacher R # begun anew, everywhere
    all_see 'Commands so far: 0' teacher screen late && press late q && sees late 'left with 0'
}
missing() { # killed, with no time for a farewell; then another one begins where that one was
    kill -9 "$(T list-panes -t =teacher: -F '#{pane_pid}')"
    all_see 'presenter is gone' screen speaker lines || return 1
    n=0
    while T has-session -t =teacher && [ $n -lt 200 ]; do # its name is free a moment later
        sleep 0.05
        n=$((n + 1))
    done
    start teacher 120 40 '--present --no-save'
    all_see 'One prompt, one node' teacher screen speaker && sees teacher '2 follow'
}
leaving() {
    press teacher q
    sees teacher 'left with 0' || return 1
    all_see 'presenter is gone' screen speaker || return 1
    press screen q
    press speaker q
    press lines q
    press lines Enter
    all_see 'left with 0' screen speaker lines && [ ! -e "$dir/radixscope/lesson-room-$$" ]
}
same_scene() { # LESSON: the moment behind its first block, and what the state string opens
    printf '\n\nshow\nstate\n' | "$PROGRAM" lesson "$1" --plain --no-save > "$dir/lesson" || return 1
    string=$(grep -o 'rx1:[A-Za-z0-9_-]*' "$dir/lesson")
    [ -n "$string" ] && "$PROGRAM" play "$string" --plain > "$dir/play" < /dev/null || return 1
    sed -n '/^> tree: /,/^slots/p' "$dir/lesson" | sed 's/^> //' > "$dir/want"
    sed -n '/^tree: /,/^slots/p' "$dir/play" > "$dir/got"
    [ -s "$dir/want" ] && cmp "$dir/want" "$dir/got" &&
        grep -q "^$(sed -n 's/^\([0-9]*\) [A-Z].*/\1/p' "$dir/play") [A-Z]" "$dir/lesson"
}

case_of "guests wait for a presenter" waiting
case_of "all stand at the presenter's place" beginning
case_of "they walk with the presenter" walking
case_of "two answers, a distribution, then what is right" answering
case_of "who follows cannot lead; a second presenter is refused" refusing
case_of "what is tried beside the path is seen by all" trying
case_of "a challenge runs on every engine" challenging
case_of "a presenter who was killed is missed and found again" missing
case_of "every terminal is left as it was" leaving
for id in split eviction; do case_of "state string of $id" same_scene $id; done
exit $failed
