#!/bin/sh
# Lessons in lines: every lesson of the course taken with nothing but right answers, its summary, and what stands around:
# a new lesson works as it is written, progress is kept and forgotten.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
program=$(cd "$BUILD" && pwd)/radixscope
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
XDG_STATE_HOME=$dir RADIXSCOPE_DATA=${RADIXSCOPE_DATA:-$PWD/data}
export XDG_STATE_HOME RADIXSCOPE_DATA
failed=0
verdict() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi; }

# "type X" and "key Enter" are one line; Enter alone is an empty one.
lines() {
    awk '$1 == "type" { sub(/^type /, ""); line = $0; next } { print line; line = "" }'
}
for file in lessons/*.md; do
    id=$(sed -n 's/^id: *//p' "$file" | head -n 1)
    "$program" lesson keys "$id" --plain | lines > "$dir/lines"
    timeout 60 "$program" lesson "$id" --plain < "$dir/lines" > "$dir/out"
    ! grep -q '^[?>] ! \|^Not so' "$dir/out" && grep -q "^$id done" "$dir/radixscope/progress" &&
        grep -q 'Lesson [0-9]* is done' "$dir/out"
    verdict $? "$id in lines: no answer refused, done at the end"
    rows=$(timeout 60 "$program" lesson sheet "$id" | wc -l)
    [ "$rows" -ge 3 ] && [ "$rows" -le 24 ]
    verdict $? "$id: its summary fits on one screen ($rows lines)"
done

tail -n 1 "$dir/out" | grep -qv Next # the last one
verdict $? 'behind the last lesson comes none'
"$program" lesson keys 4 --plain | lines | "$program" lesson 4 --plain | grep -q 'Lesson 4 is done. Next: .*radixscope lesson 5 ('
verdict $? 'who is done is told what is next'
"$program" lesson | grep -q '^  done .* split '
verdict $? 'the list says what is done'
cp "$dir/radixscope/progress" "$dir/before"
echo no | "$program" lesson reset split > /dev/null && cmp -s "$dir/before" "$dir/radixscope/progress"
verdict $? 'reset asks first'
"$program" lesson reset split --yes > /dev/null && ! grep -q '^split ' "$dir/radixscope/progress"
verdict $? 'reset forgets the lesson'
rm -r "$dir/radixscope"
printf '\n\n\n' | "$program" lesson split --plain --no-save > /dev/null && [ ! -e "$dir/radixscope" ]
verdict $? '--no-save keeps nothing'
printf '\n\n\n' | "$program" lesson split --plain > /dev/null
echo | "$program" lesson split --plain | grep -q 'You were here before: part 3 '
verdict $? 'a lesson goes on where it was left'
printf '\n: insert "zebra"\nshow\n' | "$program" lesson split --plain --no-save > "$dir/out"
grep -q 'beside the path' "$dir/out" && sed -n '/beside the path/,$p' "$dir/out" | grep -q '^> tree: 1 node '
verdict $? 'what is tried does not move the lesson'
printf '\n\n\nskip\n' | "$program" lesson split --plain --no-save > "$dir/out"
grep -q 'The answer: 3. The step that decides it is shown' "$dir/out" && grep -q 'MATCHED.* units=8 ' "$dir/out"
verdict $? 'who leaves a question out is told the answer and the step that decides it'
"$program" lesson keys split --plain | sed '/insert "[^"]*"$/,$d' | lines > "$dir/most"
{ cat "$dir/most"; echo 'insert "ab"'; echo show; } | "$program" lesson split --plain --no-save > "$dir/out"
grep -q 'Not yet: nodes == [0-9]* (now 1)' "$dir/out"
verdict $? 'a challenge says how far its goal is'
n=$("$program" lesson check lessons/*.md | grep -c ': ok: ') && [ "$n" = "$(ls lessons/*.md | wc -l)" ]
verdict $? "every lesson's keys, links and needs name what there is ($n lessons)"
mkdir -p "$dir/course/data" "$dir/course/lessons"
for one in 'one three' 'two one' 'three four, two' 'four '; do
    printf -- '---\nid: %s\ntitle: T\nminutes: 5\nneeds: %s\nobjectives:\n  - o\n---\n## A {#a}\nText.\n## S {#sheet}\nx\n' \
        "${one%% *}" "${one#* }" > "$dir/course/lessons/${one%% *}.md"
done
for one in 'one:5:8' 'two:5:8' 'three:5:14'; do
    RADIXSCOPE_DATA=$dir/course/data "$program" lesson check "$dir/course/lessons/${one%%:*}.md" 2> "$dir/err"
    [ $? = 1 ] && grep -q "/${one%%:*}.md:${one#*:}: ${one%%:*} needs .*which needs ${one%%:*}: nobody could begin" "$dir/err"
    verdict $? "a ring of needs is refused at ${one#*:}"
done
RADIXSCOPE_DATA=$dir/course/data "$program" lesson check four > "$dir/out"
verdict $? 'who is needed by a ring is not in it'
sed -i 's/^needs: .*/needs: nobody/' "$dir/course/lessons/four.md"
RADIXSCOPE_DATA=$dir/course/data "$program" lesson check four 2>&1 | grep -q '/four.md:5:8: it needs nobody, and there is no such lesson'
verdict $? 'an unknown need is refused with its place'
"$program" lesson new "$dir/my-lesson.md" > /dev/null && "$program" lesson check "$dir/my-lesson.md" | grep -q '^my-lesson: ok'
verdict $? 'a new lesson passes the check'
sed -n '5,$p' "$dir/my-lesson.md" | sed 's/^\(.\)/    \1/' > "$dir/example"
found=$(awk 'NR == FNR { want[++n] = $0; next } { have[++m] = $0 }
    END { for (i = 1; i <= m; i++) { k = 1; while (k <= n && have[i + k - 1] == want[k]) k++; if (k > n) { print "found"; exit } } }' \
    "$dir/example" docs/writing-lessons.md)
[ "$found" = found ]
verdict $? 'docs/writing-lessons.md quotes it'
"$program" lesson new "$dir/my-lesson.md" 2> "$dir/err"
[ $? = 1 ] && grep -q 'not written over' "$dir/err"
verdict $? 'a lesson is not written over'
"$program" lesson splitt 2> "$dir/err"
[ $? = 1 ] && grep -q 'did you mean split' "$dir/err"
verdict $? 'a name that is nearly right'
exit $failed
