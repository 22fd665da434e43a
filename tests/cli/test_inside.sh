#!/bin/sh
# The words about the model in the conversation of --plain: on a run, on its recording with --with-kv (the same
# answers), and on one without (not recorded). The real binary under tmux.
BUILD=${BUILD:-build}
command -v tmux >/dev/null || { echo 'skip - tmux is not here'; exit 0; }
server=
tmp=$(mktemp -d) || exit 1
end() { [ -z "$server" ] || tmux -L "$server" kill-server 2>/dev/null; }
trap 'end; rm -rf "$tmp"' EXIT
XDG_STATE_HOME=$tmp/state
export XDG_STATE_HOME
failed=0

verdict() { # verdict STATUS NAME
    if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi
}

shows() { # until the screen shows TEXT
    tries=0
    while [ $tries -lt 100 ]; do
        tmux -L "$server" capture-pane -p 2>/dev/null | grep -qF -- "$1" && return 0
        tries=$((tries + 1))
        sleep 0.05
    done
    return 1
}

begin() { # a server of its own: one that is just leaving would refuse
    end
    server=radixscope-inside-$$-$2
    tmux -L "$server" -f /dev/null new-session -d -x 200 -y 90 "$BUILD/radixscope $1 --plain"
    shows '>' || { echo "not ok - $1 does not begin"; exit 1; }
}

say() { # say NAME LINE TEXT
    tmux -L "$server" send-keys -l "$2"
    tmux -L "$server" send-keys Enter
    shows "$3"
    verdict $? "$1"
}

cat >"$tmp/p.rxs" <<'X'
title "Rows"
pool 96
request "What color is grass?" max=4 label=grass
poison 3 layer=1 part=value
request "What color is snow?" max=4 label=snow
X
"$BUILD/radixscope" record "$tmp/p.rxs" --with-kv -o "$tmp/p.rxt" >/dev/null && [ -s "$tmp/p.rxt" ]
verdict $? 'record --with-kv'
"$BUILD/radixscope" record "$tmp/p.rxs" -o "$tmp/q.rxt" >/dev/null && [ -s "$tmp/q.rxt" ]
verdict $? 'record without it'

for what in play replay; do
    if [ $what = play ]; then begin "play $tmp/p.rxs" run; else begin "replay $tmp/p.rxt" rows; fi
    say "$what, last" 'last' 'ANSWER req=2'
    say "$what, forward" 'forward 3' 'all layers and the logits'
    say "$what, attention" 'attention 1 2' 'attention of layer 1, head 2'
    say "$what, a layer that is not there" 'attention 9' '! the layer is a number from 0 to 3'
    say "$what, logits" 'logits' 'top logits behind position'
    say "$what, lens" 'lens 3 1 0' '! spoiled on purpose'
    say "$what, lens without a slot" 'lens' '! lens needs a slot'
    say "$what, proof" 'proof 2' 'first differing bit: in layer 1, at position 2.'
    say "$what, proof of another request" 'proof 1 exact' 'first differing bit: none'
    say "$what, proof in fast mode" 'proof 1 fast' 'beside a cold run, in fast mode'
    say "$what, proof of nobody" 'proof 7' "$([ $what = play ] && echo 'nothing of request 7' || echo 'not recorded')"
    say "$what, reach" 'reach' '1 of 1 requests read it'
done
begin "replay $tmp/q.rxt" none
say 'without rows, last' 'last' 'ANSWER req=2'
say 'without rows, attention' 'attention 1 2' 'queries: not recorded'
say 'without rows, proof' 'proof' 'The answer was not recorded'
say 'without rows, the logits are there' 'logits' 'top logits behind position'
exit $failed
