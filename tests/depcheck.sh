#!/bin/sh
# Dependencies point one way: base <- tape <- cache, model <- engine <- script, trace, lesson <- cli, ui.
# Reads the #include lines; prints each line that points the wrong way and exits 1.
cd "$(dirname "$0")/.." || exit 1

allowed() { # the folders that a folder may include
    case $1 in
    src/base) echo "base" ;;
    src/tape) echo "base tape" ;;
    src/cache) echo "base tape cache" ;;
    src/model) echo "base model" ;;
    src/engine) echo "base tape cache model engine" ;;
    src/script | src/trace | src/lesson) echo "base tape cache model engine script trace lesson" ;;
    src/cli) echo "base tape cache model engine script trace lesson cli ui" ;;
    ui) echo "base tape model script lesson engine ui" ;;
    esac
}

bad=0
for file in src/*/*.[ch] ui/*.[ch]; do
    [ -e "$file" ] || continue
    may=$(allowed "$(dirname "$file")")
    for inc in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
        case " $may " in
        *" $inc "*) ;;
        *) echo "depcheck: $file may not include $inc/"; bad=1 ;;
        esac
    done
done
# Views draw from the world and send commands: no engine, no cache, no model.
for file in ui/view_*.c; do
    [ -e "$file" ] || continue
    if grep -nE '^#include "(engine|cache|model|script)/' "$file"; then
        echo "depcheck: $file is a view and may include only base/, tape/, lesson/ and ui/"; bad=1
    fi
done
only() { # only FILE may include HEADER
    for file in $(grep -lE "^#include *[<\"][a-z/]*$1" src/*/*.[ch] ui/*.[ch] 2>/dev/null); do
        [ "$file" = "$2" ] || { echo "depcheck: $1 belongs in $2 alone; $file includes it"; bad=1; }
    done
}
only 'curses\.h' ui/term.c
only 'cblas\.h' src/model/blas.c
[ $bad = 0 ] && echo "depcheck: ok"
exit $bad
