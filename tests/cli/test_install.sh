#!/bin/sh
# make install and make uninstall: in a folder of their own, used from elsewhere, moved, removed.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-install.XXXXXX") || exit 1
tmp=$(cd "$tmp" && pwd -P)
trap 'rm -rf "$tmp"' EXIT
failed=0
verdict() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; [ -f "$tmp/log" ] && tail -n 8 "$tmp/log" | sed 's/^/    /'; fi; }
unset RADIXSCOPE_DATA MAKEFLAGS MFLAGS MAKELEVEL

# What is tested is installing: the program is there, whatever flags it was built with (asan, tsan).
install_to() { timeout 120 make -o "$BUILD/radixscope" BUILD="$BUILD" "$@" install >"$tmp/log" 2>&1; }
root="$tmp/a root" # a space, as in a person's folder
install_to DESTDIR="$root" PREFIX=/opt/rx
verdict $? 'make install'
rx="$root/opt/rx/bin/radixscope" share="$root/opt/rx/share"
missing=0 n=0
for f in man/man1/radixscope.1 doc/radixscope/README.md doc/radixscope/LICENSE doc/radixscope/docs/architecture.md \
    bash-completion/completions/radixscope zsh/site-functions/_radixscope fish/vendor_completions.d/radixscope.fish \
    radixscope/model/model.safetensors radixscope/scenarios/two-strings.rxs radixscope/lessons/04-split.md; do
    n=$((n + 1))
    [ -s "$share/$f" ] && [ "$(ls -ld "$share/$f" | cut -c1-10)" = -rw-r--r-- ] || { echo "    $f"; missing=1; }
done
verdict $missing "the $n files that others look for are there and can be read by all"
cmp -s "$share/man/man1/radixscope.1" docs/radixscope.1 && grep -q 'complete -F _radixscope radixscope' "$share/bash-completion/completions/radixscope" &&
    head -n 1 "$share/zsh/site-functions/_radixscope" | grep -qx '#compdef radixscope'
verdict $? 'manual and completions'
[ -z "$(find "$root" -name '*.py' -o -name '.git*' -o -name '__pycache__')" ]
verdict $? 'nothing of how the model was made'

# ---- used from another folder, with no build tree above
mkdir "$tmp/elsewhere"
elsewhere() { (cd "$tmp/elsewhere" && timeout 60 "$@" </dev/null >"$tmp/out" 2>"$tmp/log"); }
elsewhere "$rx" play two-strings
[ $? = 0 ] && [ "$(grep -c '^[0-9]' "$tmp/out")" -gt 20 ]
verdict $? 'play two-strings'
elsewhere "$rx" lesson check split
[ $? = 0 ] && grep -q '^split: ok' "$tmp/out"
verdict $? 'lesson check split'
elsewhere "$rx" compare
[ $? = 0 ] && grep -q '^Equal: largest difference of a logit 0 ' "$tmp/out"
verdict $? 'compare'
elsewhere "$rx" doctor
[ $? = 0 ] && grep -q "ok *data *$share/radixscope: " "$tmp/out" && grep -q "ok *model *$share/radixscope/model: " "$tmp/out"
verdict $? 'doctor names the installed data'
elsewhere env PATH="$root/opt/rx/bin:$PATH" radixscope play small-pool
verdict $? 'found by PATH'
ln -s "$rx" "$tmp/elsewhere/link"
elsewhere ./link play small-pool
verdict $? 'through a link'
mv "$root/opt/rx" "$tmp/moved"
elsewhere "$tmp/moved/bin/radixscope" compare
verdict $? 'a tree that was moved'
mkdir -p "$root/opt" && mv "$tmp/moved" "$root/opt/rx"
elsewhere env RADIXSCOPE_DATA="$tmp/none" "$rx" play two-strings
[ $? = 1 ] && grep -q 'RADIXSCOPE_DATA names' "$tmp/log"
verdict $? 'RADIXSCOPE_DATA comes first'

# ---- again, over itself; then away
install_to DESTDIR="$root" PREFIX=/opt/rx
verdict $? 'make install a second time'
touch "$share/man/man1/other.1"
timeout 60 make DESTDIR="$root" PREFIX=/opt/rx uninstall >"$tmp/log" 2>&1
verdict $? 'make uninstall'
left=$(cd "$root" && find . ! -type d; cd "$root" && find . -name '*radixscope*')
[ "$left" = ./opt/rx/share/man/man1/other.1 ]
verdict $? "nothing is left but what others put there ($left)"
timeout 60 make DESTDIR="$root" PREFIX=/opt/rx uninstall >"$tmp/log" 2>&1
verdict $? 'make uninstall where nothing is'
exit $failed
