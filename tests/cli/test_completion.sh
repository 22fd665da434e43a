#!/bin/sh
# Completions: bash is asked what it would offer; zsh and fish check the syntax, fish is asked as well.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
RX=$BUILD/radixscope
tmp=$(mktemp -d "${TMPDIR:-/tmp}/radixscope-completion.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; shift; [ $# -gt 0 ] && printf '    %s\n' "$@"; return 0; }
verdict() { if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2"; fi; }

PATH=$BUILD:$PATH
export PATH
for shell in bash zsh fish; do $RX completion $shell >"$tmp/$shell"; done
touch "$tmp/mine.rxs" "$tmp/mine.rxt" "$tmp/mine.txt" "$tmp/with space.rxs"
mkdir "$tmp/folder"

# The words a command has, from its help.
options_of() { $RX help "$1" | sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\).*/\2/p'; }
commands=$($RX --help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p')

# ---- bash
# asked WORD…: what bash offers for the last word, one a line, sorted
cat >"$tmp/ask" <<'EOF'
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_radixscope "$1" "${!#}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}" | sort -u
EOF
asked() { (cd "$tmp" && timeout 20 bash "$tmp/ask" "$tmp/bash" "$@"); }

# offers NAME "EXPECTED…" WORD…: exactly these
offers() {
    name=$1 want=$(printf '%s\n' $2 | sort -u)
    shift 2
    got=$(asked "$@")
    [ "$got" = "$want" ] && ok "bash: $name" || not_ok "bash: $name" "wanted: $want" "got: $got"
}

if command -v bash >/dev/null; then
    bash -n "$tmp/bash"
    verdict $? 'bash: the syntax'
    offers 'commands' "$commands" radixscope ''
    offers 'commands by their beginning' 'compare completion' radixscope com
    n=0
    for command in $commands; do
        case $command in conform | check-model) continue ;; esac # their help has no list of options
        offers "options of $command" "--help --version $(options_of "$command")" radixscope "$command" -
        n=$((n + 1))
    done
    [ $n -ge 8 ]
    verdict $? "bash: options were asked of $n commands"
    asked radixscope play '' >"$tmp/got"
    { $RX completion scenarios; printf '%s\n' mine.rxs folder 'with space.rxs'; } | sort -u | cmp -s - "$tmp/got"
    verdict $? 'bash: scenarios, scripts and folders'
    offers 'scenarios by their beginning' two-strings radixscope play two
    offers 'scenarios behind options' two-strings radixscope play --pool 64 --plain two
    offers 'scripts and recordings' 'mine.rxs mine.rxt' radixscope replay mine
    offers 'values' 'lfu lru' radixscope play --policy l
    offers 'values behind =' 'lfu lru' radixscope run --policy = l
    offers 'nothing for a number' '' radixscope run --max ''
    offers 'folders for a model' folder radixscope doctor --model ''
    offers 'topics' script radixscope help sc
    offers 'flags of a tool' '--help --version --tape --check' radixscope conform -
    offers 'shells' 'bash' radixscope completion b
    offers 'nothing behind a whole line' '' radixscope completion bash ''
else
    echo 'skip - bash is not here'
fi

# ---- zsh and fish
if command -v zsh >/dev/null; then
    zsh -n "$tmp/zsh"
    verdict $? 'zsh: the syntax'
    missing=0
    for command in $commands; do grep -q "^        '$command:" "$tmp/zsh" || missing=1; done
    verdict $missing 'zsh: every command'
else
    echo 'skip - zsh is not here'
fi
if command -v fish >/dev/null; then
    fish -n "$tmp/fish"
    verdict $? 'fish: the syntax'
    fish_offers() { (cd "$tmp" && HOME=$tmp timeout 20 fish --no-config -c "source $tmp/fish; complete -C '$1'" | cut -f1 | sort -u); }
    [ "$(fish_offers 'radixscope ')" = "$(printf '%s\n' $commands | sort -u)" ]
    verdict $? 'fish: commands'
    [ "$(fish_offers 'radixscope play two')" = two-strings ]
    verdict $? 'fish: scenarios'
    [ "$(fish_offers 'radixscope play --policy l')" = "$(printf 'lfu\nlru')" ]
    verdict $? 'fish: values'
    n=0
    for command in $commands; do
        case $command in conform | check-model) continue ;; esac # their help has no list of options
        want=$(printf '%s\n' --help --version $(options_of "$command") | sort -u)
        got=$(fish_offers "radixscope $command --" | sed 's/=$//' | sort -u)
        [ "$got" = "$want" ] && n=$((n + 1)) || not_ok "fish: options of $command" "wanted: $want" "got: $got"
    done
    [ $n -ge 8 ]
    verdict $? "fish: options of $n commands"
else
    echo 'skip - fish is not here'
fi

"$RX" completion tcsh >/dev/null 2>"$tmp/err"
[ $? = 2 ] && grep -q "is for bash, zsh and fish, not 'tcsh'" "$tmp/err"
verdict $? 'another shell is refused'
exit $failed
