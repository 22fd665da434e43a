#!/bin/sh
# radixscope export: what it writes, where, and what it refuses. tests/cli/test_export.c reads the formats.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
RX=$BUILD/radixscope
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-export.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; shift; [ $# -gt 0 ] && printf '    %s\n' "$@"; return 0; }
verdict() { if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2"; fi; }

cells() { LC_ALL=C tr -d '\200-\277'; } # one byte a character, for an awk that counts bytes
uncoloured() { sed "s/$(printf '\033')\[[0-9;]*m//g" "$1"; }

# refuses NAME RC TEXT ARGUMENTS…: exit code, and stderr holds TEXT; nothing on stdout
refuses() {
    name=$1 want=$2 text=$3
    shift 3
    timeout 20 "$RX" export "$@" >"$tmp/out" 2>"$tmp/err"
    rc=$?
    [ $rc = "$want" ] && grep -qF -- "$text" "$tmp/err" && [ ! -s "$tmp/out" ] && { ok "$name"; return; }
    not_ok "$name" "wanted $want: $text" "got $rc: $(cat "$tmp/err")"
}

# ---- the README's screen
step=$(sed -n 's/<!-- screen: [a-z-]* \([0-9]*\) -->/\1/p' README.md)
scenario=$(sed -n 's/<!-- screen: \([a-z-]*\) [0-9]* -->/\1/p' README.md)
awk '/^```/ { n++; next } n == 1' README.md >"$tmp/readme"
timeout 20 "$RX" export screen "$scenario" --step "$step" --size 80x24 --format text >"$tmp/screen"
diff "$tmp/readme" "$tmp/screen"
verdict $? "step $step of $scenario is the README's screen"

# ---- the same screen in other forms
timeout 20 "$RX" export screen "$scenario" --step "$step" --format ansi >"$tmp/ansi"
uncoloured "$tmp/ansi" | sed 's/ *$//' | cmp -s - "$tmp/screen"
verdict $? 'ansi without its colours is the text'
grep -q "$(printf '\033')\[0;" "$tmp/ansi"
verdict $? 'ansi has colours'
timeout 20 "$RX" export screen "$scenario" --step "$step" --format ansi --theme contrast >"$tmp/contrast"
uncoloured "$tmp/contrast" | cells | awk 'length($0) != 80 { bad = 1 } END { exit bad || NR != 24 }'
verdict $? 'a theme with a background of its own paints every cell'
timeout 20 "$RX" export screen "$scenario" --step "$step" --ascii >"$tmp/ascii"
[ -s "$tmp/ascii" ] && ! LC_ALL=C grep -q '[^ -~]' "$tmp/ascii"
verdict $? '--ascii is ASCII'
sizes=0
for size in 20x5 60x16 80x24 120x40 200x50; do
    timeout 20 "$RX" export screen "$scenario" --step "$step" --size $size |
        cells | awk -v w=${size%x*} -v h=${size#*x} 'length($0) > w { bad = 1 } END { exit bad || NR != h }' && sizes=$((sizes + 1))
done
[ $sizes = 5 ]
verdict $? "$sizes of 5 sizes are kept"

# ---- a recording gives the same bytes as the run
timeout 60 "$RX" record "data/scenarios/$scenario.rxs" -o "$tmp/run.rxt" >/dev/null
same=0
for what in "screen --step $step" 'screen --format svg --step 99' cast "tree --step $step" 'tree --format json --step 120'; do
    kind=${what%% *} more=${what#"${what%% *}"}
    timeout 20 "$RX" export "$kind" "$scenario" $more >"$tmp/a"
    timeout 20 "$RX" export "$kind" "$tmp/run.rxt" $more >"$tmp/b"
    [ -s "$tmp/a" ] && cmp -s "$tmp/a" "$tmp/b" && same=$((same + 1))
done
[ $same = 5 ]
verdict $? "a recording gives the same bytes as the run ($same of 5)"

# ---- files
timeout 20 "$RX" export screen two-strings --step 13 --format svg >"$tmp/want"
timeout 20 "$RX" export screen two-strings --step 13 -o "$tmp/a.svg" >"$tmp/said" && cmp -s "$tmp/want" "$tmp/a.svg" && [ ! -s "$tmp/said" ]
verdict $? 'the end of the file name says the format'
timeout 20 "$RX" export tree two-strings --step 13 --format json >"$tmp/want"
timeout 20 "$RX" export tree two-strings --step 13 -o "$tmp/a.json" && cmp -s "$tmp/want" "$tmp/a.json"
verdict $? 'also of a tree'
echo before >"$tmp/kept"
refuses 'no such folder' 1 'cannot be written' tree two-strings -o "$tmp/none/a.dot"
mkdir "$tmp/folder"
refuses 'a folder of that name' 1 'cannot be written' tree two-strings -o "$tmp/folder"
[ "$(ls -A "$tmp" | grep -c '\.dot\|folder\.')" = 0 ]
verdict $? 'a failed export leaves no file behind'
timeout 20 "$RX" export tree two-strings -o - >"$tmp/dash" && grep -q '^digraph' "$tmp/dash"
verdict $? '-o - is standard output'
total=$(timeout 20 "$RX" play two-strings --plain </dev/null | grep -c '^[0-9]')
timeout 20 "$RX" export screen two-strings >"$tmp/last"
grep -q "step $total of $total" "$tmp/last"
verdict $? 'without --step it is the last one'

# ---- Graphviz itself
if command -v dot >/dev/null; then
    n=0
    for s in 1 7 13 20 $total; do
        timeout 20 "$RX" export tree two-strings --step $s | timeout 20 dot -Tplain >"$tmp/plain" 2>"$tmp/err" &&
            grep -q '^node n0' "$tmp/plain" && [ ! -s "$tmp/err" ] && n=$((n + 1))
    done
    [ $n = 5 ]
    verdict $? "dot reads the tree ($n of 5)"
else
    echo 'skip - dot is not here; test_export checks the grammar'
fi
if command -v xmllint >/dev/null; then
    timeout 20 "$RX" export screen small-pool --format svg | xmllint --noout -
    verdict $? 'xmllint reads the svg'
else
    echo 'skip - xmllint is not here; test_export checks the grammar'
fi

# ---- what cannot be done
refuses 'nothing' 2 'export needs to know what: one of screen, cast, tree'
refuses 'another kind' 2 "export knows screen, cast, tree, metrics, mooncake, perfetto, kv-events and rxs, not 'film'" film two-strings
refuses 'nothing to run' 2 'export needs something to run' screen
refuses 'two runs' 2 'takes one script or scenario' screen two-strings small-pool
refuses 'a format of another kind' 2 "a screen is written as one of: text ansi svg; not as 'dot'" screen two-strings --format dot
refuses 'an option of another kind' 2 '--size means nothing for a tree' tree two-strings --size 80x24
refuses 'speed of a screen' 2 '--speed means nothing for a screen' screen two-strings --speed 2
refuses 'a step that is not there' 1 "there is no step 99: the run has $total steps" screen two-strings --step 99
for size in 80 80x 0x0 80x24x3 9999x9999 -1x5 axb; do
    refuses "size $size" 2 '--size is columns x lines' screen two-strings --size=$size
done
refuses 'speed 0' 2 '--speed is a number of steps a second' cast two-strings --speed 0
refuses 'a theme that is not there' 2 "there is no theme 'pink'" screen two-strings --theme pink
refuses 'an option of a run, for a recording' 2 '--pool changes a run, and a recording has run' tree "$tmp/run.rxt" --pool 64
cp "$tmp/screen" "$tmp/none.rxt"
refuses 'no recording' 1 'is no recording' tree "$tmp/none.rxt"
exit $failed
