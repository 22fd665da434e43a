#!/bin/sh
# Run every test program in $BUILD/tests and every tests/*/test_*.sh; count the cases and say so last.
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
export BUILD
log=$BUILD/test-log.txt
: > "$log"
passed=0 failed=0 skipped=0
for t in $(find "$BUILD/tests" -type f -name 'test_*' -perm -u+x 2>/dev/null | sort) $(ls tests/*/test_*.sh 2>/dev/null); do
    one=$BUILD/test-one.txt
    started=$(date +%s)
    case $t in
    *.sh) sh "$t" > "$one" 2>&1; rc=$? ;;
    *) "$t" > "$one" 2>&1; rc=$? ;;
    esac
    cat "$one" >> "$log"
    # cmocka says "[  PASSED  ] n test(s)."; our shell tests print "ok - …", "not ok - …", "skip - …".
    p=$(grep -cE '^\[ +OK +\]|^ok ' "$one")
    f=$(grep -cE '^\[  FAILED  \] [a-z_]+$|^not ok ' "$one")
    s=$(grep -cE '^\[  SKIPPED \] [a-z_]+$|^skip ' "$one")
    ran=$((p + f + s))
    if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    if [ "$ran" -eq 0 ] && [ "$f" -eq 0 ]; then f=1; echo "not ok - $t ran nothing" >> "$one"; fi
    printf '%-44s %4d passed' "${t#"$BUILD"/tests/}" "$p"
    [ "$s" -gt 0 ] && printf ', %d skipped' "$s"
    [ "$f" -gt 0 ] && printf ', %d FAILED' "$f"
    printf '  %ds\n' $(($(date +%s) - started))
    [ "$f" -gt 0 ] && sed 's/^/    /' "$one" | grep -vE '\[ (RUN|     OK)' | tail -n 40
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
rm -f "$BUILD/test-one.txt"
echo "The whole output is in $log"
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
