#!/bin/bash
# The node whose turn it is cannot start: its file has a mistake, and it never had a good one.
. "$(dirname "$0")/heartbeat-words.bash"

the_other_serves() {
    set_up ldirectord
    on lvs1 sed -i 's/scheduler = wlc/schedular = wlc/' /etc/ha.d/www
    client $vip 80
    start_heartbeat lvs1
    start_heartbeat lvs2
    # heartbeat gives the group up at once, and stands by 30 s later.
    eventually "lvs1 gave up" grep -q 'Giving up resources' "$(file lvs1 /var/log/ha-log)"
    grep -q schedular "$(file lvs1 /var/log/ha-debug)" || fail "nobody says what is wrong"
    carries_nothing lvs1 || fail "lvs1 kept something"
    patience=$((patience + 30))
    eventually "lvs2 serves" is_active lvs2 lvs1
}

it_is_mended() {
    on lvs1 sed -i 's/schedular = wlc/scheduler = wlc/' /etc/ha.d/www
    mark
    must on lvs2 /usr/share/heartbeat/hb_standby all
    eventually "lvs1 serves" is_active lvs1 lvs2
    tell_gap
}

story "heartbeat, a start that fails"
step "the other node serves" the_other_serves
step "the file is mended" it_is_mended
