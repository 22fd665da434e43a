#!/bin/sh
# README.md tells the truth: its screen is what the program draws, its example runs, its commands exist.
# UPDATE=1 writes the screen into README.md: read the difference before you commit it.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
work=$(mktemp -d) || exit 1
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
server=radixscope-readme-$$
trap 'tmux -L $server kill-server 2>/dev/null; rm -rf "$work"' EXIT
verdict() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; bad=1; fi; }
bad=0

# The block behind the n-th line of three backquotes.
block() { awk -v want="$1" '/^```/ { n++; next } n == 2 * want - 1 { print }' README.md; }

step=$(sed -n 's/<!-- screen: [a-z-]* \([0-9]*\) -->/\1/p' README.md)
total=$(block 1 | sed -n 's|.*step [0-9]* of ||p')
name=$(sed -n 's/<!-- screen: \([a-z-]*\) [0-9]* -->/\1/p' README.md)
block 1 > "$work/readme"
LC_ALL=C.UTF-8 tmux -L "$server" -f /dev/null new-session -d -x 80 -y 24 \
    "LC_ALL=C.UTF-8 TERM=screen $BUILD/radixscope play $name; sleep 5"
tries=0
while [ $tries -lt 50 ]; do # wait for the whole run, then go to the step, then for its screen
    tmux -L "$server" capture-pane -p | grep -q "of $total" && break
    tries=$((tries + 1)); sleep 0.1
done
for key in $(echo "$step" | sed 's/./& /g') G; do tmux -L "$server" send-keys "$key"; done
tries=0
while [ $tries -lt 50 ]; do
    tmux -L "$server" capture-pane -p > "$work/drawn"
    grep -q "step $step of" "$work/drawn" && break
    tries=$((tries + 1)); sleep 0.1
done
sed 's/ *$//' "$work/drawn" > "$work/a"; sed 's/ *$//' "$work/readme" > "$work/b"
if [ -n "$UPDATE" ] && [ -s "$work/a" ]; then
    awk -v drawn="$work/a" '/^```/ { n++; print; if (n == 1) while ((getline line < drawn) > 0) print line; next }
        n != 1 { print }' README.md > "$work/new" && cp "$work/new" README.md && cp "$work/a" "$work/b"
fi
diff "$work/b" "$work/a"
verdict $? "the README's screen is what the program draws"

block 2 > "$work/example.rxs"
[ -s "$work/example.rxs" ] && "$BUILD/radixscope" run "$work/example.rxs" > "$work/out" 2>&1
verdict $? "the README's example runs and its expectation holds"
grep -q 'Grass is green' "$work/out"
verdict $? "and answers"

asked=0
for command in $(sed -n 's/.*`build\/radixscope \([a-z-]*\).*/\1/p' README.md | sort -u); do
    "$BUILD/radixscope" help "$command" > /dev/null 2>&1 || { echo "no such command: $command"; asked=-99; }
    asked=$((asked + 1))
done
[ "$asked" -ge 5 ]
verdict $? "every command that the README names exists ($asked of them)"
missing=0
for file in $(sed -n 's/.*](\([a-zA-Z][^)]*\)).*/\1/p' README.md); do
    [ -e "$file" ] || { echo "README.md links to $file, which is not there"; missing=1; }
done
verdict $missing "every file that the README links to is there"
exit $bad
