#!/bin/sh
# --adapter on the command line, and the scenario of adapters under compare.
RX=${BUILD:-build}/radixscope
reason=data/model/adapters/reason

# check NAME CODE TEXT COMMAND…: the exit code, and TEXT somewhere in what is printed
check() {
    name=$1 code=$2 text=$3
    shift 3
    out=$("$@" 2>&1)
    rc=$?
    case $rc$out in
    "$code"*"$text"*) echo "ok - $name" ;;
    *) echo "not ok - $name: exit code $rc: $out"; failed=1 ;;
    esac
}

failed=0
check 'an adapter for prompts' 0 'Snow is white because it is made of ice.' \
    $RX run --adapter reason=$reason 'What color is snow?'
check 'compare with an adapter is exact' 0 'Equal: largest difference of a logit 0 over' \
    $RX compare --adapter reason=$reason 'What color is snow?' 'What color is grass?'
check 'no folder' 2 "--adapter is NAME=DIR, such as reason=adapters/reason, not 'reason'" $RX run --adapter reason hi
check 'no name' 2 '--adapter is NAME=DIR' $RX run --adapter =x hi
check 'a name with a blank' 2 '--adapter is NAME=DIR' $RX run --adapter 'a b=x' hi
check 'for prompts only' 2 'a script has adapter lines of its own' $RX play --adapter reason=$reason adapters
check 'not an adapter' 1 'data/model/adapter_config.json cannot be opened' $RX run --adapter a=data/model hi
check 'compare sees the mistake of the scenario' 1 'NOT EQUAL' $RX compare data/scenarios/adapters.rxs
exit $failed
