#!/bin/sh
# clang-tidy (.clang-tidy) and cppcheck over src and ui; prints what they find and exits 1 if they find anything.
cd "$(dirname "$0")/.." || exit 1
for tool in clang-tidy cppcheck pkg-config; do
    command -v $tool >/dev/null || { echo "lint: $tool is not installed (Debian: apt-get install clang-tidy cppcheck)"; exit 1; }
done
files=${*:-$(ls src/*/*.c ui/*.c)}
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DRADIXSCOPE_PREFIX=\"/usr/local\" -Isrc -I. $(pkg-config --cflags ncursesw openblas jansson libpcre2-8 libutf8proc libzstd libmd)"
bad=0
# shellcheck disable=SC2086
printf '%s\n' $files | xargs -P 2 -n 1 sh -c 'flags=$1; shift; clang-tidy --quiet "$@" -- $flags 2>/dev/null' lint "$flags" || bad=1
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=unknownMacro -j 2 -Isrc -I. $files || bad=1
[ $bad = 0 ] && echo "lint: ok"
exit $bad
