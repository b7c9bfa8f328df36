#!/bin/bash
# The node whose turn it is cannot start: its file has a mistake, and it never had a good one.
. "$(dirname "$0")/heartbeat-words.bash"

it_gives_up() {
    set_up ldirectord
    on lvs1 sed -i 's/scheduler = wlc/schedular = wlc/' /etc/ha.d/www
    client $vip 80
    start_heartbeat lvs1
    start_heartbeat lvs2
    eventually "lvs1 gives up" grep -q 'Giving up resources' "$(file lvs1 /var/log/ha-log)"
    eventually "somebody says what is wrong" grep -q schedular "$(file lvs1 /var/log/ha-debug)"
    eventually "lvs1 keeps nothing" carries_nothing lvs1
    # Nor does lvs2 take it: heartbeat hands over what is foreign to lvs1, and this is its own.
    throughout "lvs2 leaves it alone" $deadtime carries_nothing lvs2
}

the_other_serves() {
    stop_heartbeat lvs1
    eventually "lvs2 serves" is_active lvs2 lvs1
}

it_is_mended() {
    on lvs1 sed -i 's/schedular = wlc/scheduler = wlc/' /etc/ha.d/www
    mark
    start_heartbeat lvs1
    eventually "lvs1 serves" is_active lvs1 lvs2
    tell_gap
}

story "heartbeat, a start that fails"
step "it says why, and gives up" it_gives_up
step "heartbeat is stopped there: the other node serves" the_other_serves
step "the file is mended" it_is_mended
