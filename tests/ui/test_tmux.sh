#!/bin/sh
# The real program under tmux: keys in, captures out, and the terminal as it was before on every way out.
# UPDATE=1 writes the golden captures anew. Without tmux there is nothing to drive it with.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
PROGRAM=$(cd "$BUILD" && pwd)/radixscope
if ! command -v tmux > /dev/null; then
    echo "skip - tmux is not installed"
    exit 0
fi
unset TMUX NO_COLOR
LC_ALL=C.UTF-8 RADIXSCOPE_DATA=${RADIXSCOPE_DATA:-$PWD/data}
dir=$(mktemp -d)
XDG_CONFIG_HOME=$dir/config # whatever the person at this machine prefers
XDG_STATE_HOME=$dir/state
export LC_ALL RADIXSCOPE_DATA XDG_CONFIG_HOME XDG_STATE_HOME
golden=tests/ui/golden
server=radixscope-test-$$
failed=0

T() {
    tmux -L $server -f /dev/null "$@"
}
trap 'T kill-server 2> /dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

cat > "$dir/letters.rxs" << 'END'
title "letters"
tokens letters
pool 64
insert "the quick brown fox"
insert "the quick red fox"
match "the quick brown dog"
evict 6
insert "something else"
END

check() { # NAME COMMAND…: one case
    name=$1
    shift
    if "$@"; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        failed=1
        T capture-pane -p -t s | sed 's/^/#   /'
    fi
}
say() { # a capture into a file
    T capture-pane -p -t s > "$dir/$1"
}
type_line() {
    T send-keys -t s -l "$1"
    T send-keys -t s Enter
}
press() {
    for key in "$@"; do T send-keys -t s "$key"; done
}
wait_for() { # until the pattern is on the screen, at most ten seconds
    n=0
    while [ $n -lt 100 ]; do
        T capture-pane -p -t s | grep -q -- "$1" && return 0
        sleep 0.1
        n=$((n + 1))
    done
    return 1
}
wait_gone() { # until the pattern is not on the screen
    n=0
    while [ $n -lt 100 ]; do
        T capture-pane -p -t s | grep -q -- "$1" || return 0
        sleep 0.1
        n=$((n + 1))
    done
    return 1
}
open_shell() { # WIDTH HEIGHT
    T kill-server 2> /dev/null
    T -u new-session -d -s s -x "$1" -y "$2" "PS1='ready> ' sh"
    wait_for 'ready>'
}
runs=0
start() { # [ENVIRONMENT…]: the stepper in a fresh shell; its exit code will be told as "left N with CODE"
    runs=$((runs + 1))
    type_line "clear; stty -g > $dir/before; $* $PROGRAM play ${script:-$dir/letters.rxs}; echo left $runs with \$?; stty -g > $dir/after"
    wait_for 'step [0-9]* of [0-9]*$' && wait_for '? keys'
}
restored() { # the terminal is in the same state, out of the alternate screen, with its cursor shown
    wait_for "left $runs with $1" && wait_for 'ready>' && [ "$(cat "$dir/before")" = "$(cat "$dir/after")" ] &&
        [ "$(T display-message -p -t s '#{alternate_on} #{cursor_flag}')" = "0 1" ]
}
pid() {
    pgrep -f -o "^$PROGRAM play $dir/letters.rxs"
}
same() {
    cmp -s "$dir/$1" "$dir/$2"
}
as_golden() { # CAPTURE NAME
    [ -n "$UPDATE" ] && cp "$dir/$1" "$golden/$2.txt"
    diff "$golden/$2.txt" "$dir/$1" | sed 's/^/#   /'
    cmp -s "$golden/$2.txt" "$dir/$1"
}

# ---- stepping ---------------------------------------------------------------------------------------------
open_shell 80 24
check "opens at the first step" start
[ $failed = 0 ] || exit 1 # every other case would wait for it in vain
say first
check "the first screen is the golden one" as_golden first tmux-first-80x24
press Right Right Right Right Right Right Right
wait_for 'step 8 of'
say eight
check "step 8 is the golden one" as_golden eight tmux-step8-80x24
press End
wait_for 'evictable'
press Left Left Left Left
press Home Down Down Up
check "operations up and down" wait_for 'step 2 of'
press End
press 8 G
wait_for 'step 8 of'
say again
check "the same screen from the other side" same eight again
press Home
wait_for 'step 1 of'
say home
check "Home is the first screen again" same first home
press '~'
check "an unknown key says so" wait_for "does nothing here"
press '?'
check "? lists the keys" wait_for 'one step forward'
press Escape
check "Esc closes the list" wait_for 'Radix tree'
press Space
check "Space plays" wait_for 'playing'
press + + + + +
check "playing ends at the last step" wait_for 'last step'
press 8 G
wait_for 'step 8 of'
T send-keys -t s -l ':insert "the quick brown cat"'
press Enter
check "a command at an earlier step begins a branch" wait_for 'branch 2 of 2'
press End
wait_for 'branch 2 of 2'
press b
check "b shows the other branch" wait_for 'branch 1 of 2'
T send-keys -t s -l ':nonsense'
press Enter
check "a wrong command is named" wait_for 'nonsense'
press q
check "q leaves with 0, the terminal as before" restored 0

# ---- the mouse ----------------------------------------------------------------------------------------------
start TERM=xterm-256color
press m
wait_for 'Mouse on'
mouse() { # BUTTON COLUMN FINAL: as an xterm tells it; the timeline is line 22
    T send-keys -t s -l "$(printf '\033[<%s;%s;22%s' "$1" "$2" "$3")"
}
mouse 0 20 M
check "a press on the timeline goes there" wait_for 'step 1[0-9] of 37'
mouse 32 30 M
mouse 32 36 M
check "dragging goes on" wait_for 'step 2[5-9] of 37'
mouse 32 47 M
check "to the end" wait_for 'step 3[5-7] of 37'
mouse 0 47 m
press q
check "q with the mouse on" restored 0
check "the mouse is the terminal's again" [ "$(T display-message -p -t s '#{mouse_any_flag} #{mouse_button_flag} #{mouse_standard_flag}')" = "0 0 0" ]

# ---- two histories ------------------------------------------------------------------------------------------
start
press 8 G
wait_for 'step 8 of'
type_line ':rerun pool=30'
check "rerun runs beside this history" wait_for 'B shows both'
press B
check "B puts the other run beside this one" wait_for 'two histories side by side'
check "and says what is different in it" wait_for 'the whole script again with pool 30\|whole script'
press End
wait_for 'step 37 of 37'
sleep 0.3
say rerun
check "with the ledger of keys" as_golden rerun tmux-rerun-80x24
press Home D
wait_gone 'step 1 of 37'
check "D goes to where they differ" wait_for 'step 5 of 37'
press Escape q
check "q after rerun" restored 0
cat > "$dir/small.rxs" << 'END'
title "a small pool"
tokens letters
pool 24
insert "the quick brown fox"
insert "the one"
match "the quick brown dog"
insert "something"
match "the quick red"
match "something"
END
runs=$((runs + 1))
type_line "clear; stty -g > $dir/before; $PROGRAM race $dir/small.rxs; echo left $runs with \$?; stty -g > $dir/after"
check "race opens two designs side by side" wait_for 'two histories side by side'
check "first with the design that differs: its lists" wait_for 'right: chain .*'
press End
check "forward to its last request" wait_for 'after request 3'
press Home
check "and back to none" wait_for 'before the first request'
press b b b b
check "b goes through the designs to the other policy" wait_for 'right: radix belady'
press D
wait_for 'step 44 of 54 '
sleep 0.3
say race
check "as in the golden one" as_golden race tmux-race-80x24
press q
check "then prints its table" wait_for 'radix.*belady'
check "q after race" restored 0

# ---- sizes --------------------------------------------------------------------------------------------------
start
press 8 G
wait_for 'step 8 of'
T resize-window -t s -x 60 -y 16
wait_for 'of [0-9]*$'
sleep 0.3
say small
check "60x16 is the golden one" as_golden small tmux-step8-60x16
T resize-window -t s -x 20 -y 5
check "20x5 shows the step" wait_for 'step 8 of'
for size in 81x25 30x10 120x40 7x3 1x1 200x50 80x23 33x9 80x24; do
    T resize-window -t s -x ${size%x*} -y ${size#*x}
done
sleep 0.5
say stormed
check "after a storm of resizes the screen is whole" same eight stormed
check "the program lives on" [ -n "$(pid)" ]
press q
check "q after the storm" restored 0

start
press 8 G
wait_for 'step 8 of'
T resize-window -t s -x 59 -y 15
check "59x15 is the plain view" wait_gone '┌\|├'
check "with the step and what it does" wait_for 'step 8 of'
T resize-window -t s -x 60 -y 16
check "60x16 has panes again" wait_for '├'
T resize-window -t s -x 80 -y 24
press q
restored 0
left=0 bad=
for view in w l i r c '#' Q '?' M A K p Tab; do
    start
    press 8 G "$view"
    for size in 59x15 20x5 200x50 1x1 60x16 80x24; do
        T resize-window -t s -x ${size%x*} -y ${size#*x}
    done
    press q
    restored 0 && left=$((left + 1)) || bad="$bad $view"
done
check "q leaves every view, after a storm of sizes:$bad" [ "$left" = 13 ]

# ---- the home screen ----------------------------------------------------------------------------------------
runs=$((runs + 1))
type_line "clear; stty -g > $dir/before; $PROGRAM; echo left $runs with \$?; stty -g > $dir/after"
check "the home screen opens" wait_for 'what can be opened'
for size in 59x15 20x5 200x50 7x3 80x24; do
    T resize-window -t s -x ${size%x*} -y ${size#*x}
done
press C-z
check "^Z leaves it" wait_for 'ready>'
type_line 'clear; fg'
check "fg comes back to it" wait_for 'what can be opened'
kill -TERM "$(pgrep -f -o "^$PROGRAM\$")"
wait_for 'ready>'
check "SIGTERM restores the terminal from there" [ "$(T display-message -p -t s '#{alternate_on} #{cursor_flag}')" = "0 1" ]
type_line "stty -g > $dir/after; echo written"
wait_for '^written'
check "and its settings" [ "$(cat "$dir/before")" = "$(cat "$dir/after")" ]

# ---- the scenario in the box, on the real model -----------------------------------------------------------
if [ -f "$RADIXSCOPE_DATA/model/model.safetensors" ]; then
    script=shared-system-prompt
    start
    T resize-window -t s -x 80 -y 24
    n=0
    while [ $n -lt 60 ] && ! T capture-pane -p -t s | grep -q 'request 3 of 3.*answer'; do
        press End Left # the model may still be computing; the scenario's last word follows the answer
        sleep 0.2
        n=$((n + 1))
    done
    check "three requests are answered" wait_for 'request 3 of 3 .*answer'
    check "the third one found 29 tokens" wait_for '= 29 cached'
    press Home ']' ']'
    check "the second request has 36 tokens" wait_for 'Request 2: 36 tokens'
    T send-keys -t s -l '/split_node'
    press Enter
    wait_for 'split_node'
    press w w Right Left
    sleep 0.3
    say from_left
    at=$(sed -n 's/.*step \([0-9]*\) of.*/\1/p' "$dir/from_left")
    press End Left
    T send-keys -t s -l "${at}G"
    sleep 0.3
    say from_right
    check "a split looks the same from either side" same from_left from_right
    check "it splits after 29 tokens" grep -q 'is split after 29 of' "$dir/from_left"
    press q
    check "q after the scenario" restored 0
    script=
else
    echo "skip - there is no model in $RADIXSCOPE_DATA/model"
fi

# ---- a run that fails ---------------------------------------------------------------------------------------
cat > "$dir/wrong.rxs" << 'END'
title "wrong"
tokens letters
pool 64
insert "the quick brown fox"
insert "the quick red fox"
expect matched=19 added=40 nodes=7 leaves=9 used=60 free=4
END
script=$dir/wrong.rxs
start
check "its error is shown, without its folder" wait_for 'The run ended early: wrong.rxs:6:'
check "the whole of it" wait_for 'but it is 10'
press Right
check "a key brings the sentence back" wait_gone 'The run ended early:'
press e
check "e shows it again" wait_for 'The run ended early: wrong.rxs:6:'
press End Right
check "the last step, too" wait_for 'The run ended early: wrong.rxs:6:'
press q
check "q leaves with 1" restored 1
check "and the error stands below" wait_for 'wrong.rxs:6:'
script=

# ---- ways out -------------------------------------------------------------------------------------------------
start
press C-c
check "^C leaves with 130, the terminal as before" restored 130
start
press 8 G
wait_for 'step 8 of'
press C-z
check "^Z gives the terminal back" wait_for 'ready>'
check "^Z leaves the alternate screen" [ "$(T display-message -p -t s '#{alternate_on}')" = 0 ]
type_line 'echo typed while stopped; fg'
wait_for 'step 8 of'
sleep 0.3
say resumed
check "fg paints the whole screen" same eight resumed
press Right
check "and keys work" wait_for 'step 9 of'
press q
wait_for 'ready>'
for sig in HUP TERM QUIT SEGV ABRT; do
    start
    kill -$sig "$(pid)" || continue
    wait_for "left $runs with"
    code=$(T capture-pane -p -t s | sed -n "s/.*left $runs with \([0-9]*\).*/\1/p")
    # a sanitizer reports the signal and exits with a code of its own
    check "SIG$sig restores the terminal" restored "$code"
    check "SIG$sig is told to the parent" [ "${code:-0}" -ne 0 ]
    case $sig in # these a sanitizer leaves alone: the program dies of them, as a shell tells it
    HUP) check "SIGHUP is what it dies of" [ "$code" = 129 ] ;;
    TERM) check "SIGTERM is what it dies of" [ "$code" = 143 ] ;;
    esac
done

# ---- terminals --------------------------------------------------------------------------------------------------
for term in vt100 linux screen tmux-256color xterm-nobody-knows; do
    # curses loses some memory of a terminal that it does not know: not ours to find
    [ $term = xterm-nobody-knows ] && term="$term ASAN_OPTIONS=detect_leaks=0"
    if start TERM=$term; then
        press 8 G
        wait_for 'step 8 of'
        check "TERM=$term steps" wait_for 'split_node\|new_leaf\|walk'
        press q
        check "TERM=$term is restored" restored 0
    else
        check "TERM=$term starts" false
    fi
done
type_line "clear; TERM=dumb $PROGRAM play $dir/letters.rxs | tail -n 2; echo left dumb with \$?"
check "TERM=dumb in a pipe is plain text" wait_for 'left dumb with 0'
start NO_COLOR=1
say mono
check "NO_COLOR shows the same text" same first mono
T capture-pane -p -e -t s > "$dir/escapes"
check "NO_COLOR shows no colour" sh -c "! grep -q '\[3[0-7]m\|;3[0-7]m\|\[3[0-7];' $dir/escapes"
press q
restored 0
start LC_ALL=C
say ascii
check "without UTF-8 the screen is ASCII" sh -c "! LC_ALL=C grep -q '[^ -~]' $dir/ascii"
press q
restored 0
"$PROGRAM" play "$dir/letters.rxs" < /dev/null > "$dir/plain" 2>&1
check "no terminal: the run as text, exit 0" [ $? -eq 0 ]
check "no terminal: no escape bytes" sh -c "! LC_ALL=C grep -q '[[:cntrl:]]' $dir/plain"
check "no terminal: the split is told" grep -q 'SPLIT' "$dir/plain"

# ---- preferences ------------------------------------------------------------------------------------------------
mkdir -p "$dir/config/radixscope"
printf 'ascii = on\ncolour = red\n' > "$dir/config/radixscope/config"
start
check "a preference counts" wait_for '^+- Radix tree'
check "a wrong one is named with its line" wait_for 'config:2:'
press q
restored 0
rm -r "$dir/config"

# ---- patience ---------------------------------------------------------------------------------------------------
start
ticks() { # CPU time of the program, in clock ticks
    sed 's/.*) //' "/proc/$(pid)/stat" | awk '{ print $12 + $13 }'
}
if [ -d /proc/self ]; then
    sleep 0.3
    before=$(ticks)
    sleep 1
    check "no CPU when idle" [ "$(ticks)" -le $((before + 1)) ]
else
    echo "skip - CPU when idle: no /proc here"
fi
press q
restored 0
exit $failed
