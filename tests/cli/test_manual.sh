#!/bin/sh
# The manual page: docs/radixscope.1 is what the program's tables say, nothing is missing, roff can read it.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
RX=$BUILD/radixscope
PAGE=docs/radixscope.1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-man.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
verdict() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi; }

timeout 20 "$RX" help man >"$tmp/page"
cmp -s "$tmp/page" $PAGE
verdict $? "$PAGE is what the program says (make docs writes it anew)"

# Formatted without macros of ours: what stands in bold at the head of an entry.
sed 's/\\fB//g; s/\\fR//g; s/\\fI//g; s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(ga/`/g; s/\\(ha/^/g; s/\\(ti/~/g; s/\\e/\\/g' $PAGE >"$tmp/text"

# all_there WHAT AT_LEAST: each line of stdin begins an entry (a line behind .TP)
all_there() {
    missing=0 n=0
    sed -n '/^\.TP$/{n;p;}' "$tmp/text" >"$tmp/entries"
    while IFS= read -r word; do
        n=$((n + 1))
        awk -v w="$word" 'index($0, w) == 1 || index($0, ", " w) { found = 1 } END { exit !found }' "$tmp/entries" ||
            { echo "    $PAGE has no entry for $word"; missing=1; }
    done
    [ "$n" -ge "$2" ] || { echo "    only $n $1 were looked for"; missing=1; }
    return $missing
}

$RX --help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p' | all_there commands 10
verdict $? 'every command has an entry'
$RX --help | sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\).*/\2/p' | all_there options 14
verdict $? 'every option has an entry'
sed -n 's/^| `\([^`]*\)` | .*/\1/p' docs/keys.md | all_there keys 30
verdict $? 'every key of docs/keys.md has an entry'

if command -v groff >/dev/null; then
    said=$(groff -man -ww -z -Tutf8 $PAGE 2>&1)
    [ -z "$said" ]
    verdict $? "groff reads it without a complaint$said"
else
    echo 'skip - groff is not here'
fi
exit $failed
