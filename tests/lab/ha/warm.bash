#!/bin/bash
# Warm standby: directord runs on both nodes all the time, and heartbeat changes its role.
. "$(dirname "$0")/heartbeat-words.bash"

# As systemd would, before the cluster software.
start_director() { must on "$1" directord start; }

role() { [ "$(on "$1" directord role)" = "$2" ]; }
knows_the_servers() {
    [ "$(on "$1" directord status | grep -c '^server .* gate up ')" = 2 ]
}
stands_by() { role "$1" standby && knows_the_servers "$1" && carries_nothing "$1"; }

both_stand_by() {
    local node
    set_up ldirectord warm
    for node in lvs1 lvs2; do start_director $node; done
    eventually "lvs1 stands by" stands_by lvs1
    eventually "lvs2 stands by" stands_by lvs2
}

one_is_active() {
    both_start
    role lvs1 active || fail "lvs1 serves and is $(on lvs1 directord role)"
    stands_by lvs2 || fail "lvs2 does not stand by"
}

# What it knew is in the table at once: there is no first round of checks to wait for.
takes_over() {
    lvs1_loses_power
    role lvs2 active || fail "lvs2 serves and is $(on lvs2 directord role)"
}

returns() {
    mark
    boot lvs1
    start_director lvs1
    start_heartbeat lvs1
    eventually "lvs1 serves again" is_active lvs1 lvs2
    eventually "lvs2 stands by" stands_by lvs2
    tell_gap
}

is_released() {
    local before
    before=$(on lvs1 cat /run/directord/directord.pid)
    mark
    stop_heartbeat lvs1
    eventually "lvs2 serves" is_active lvs2 lvs1
    stands_by lvs1 || fail "lvs1 does not stand by"
    [ "$before" = "$(on lvs1 cat /run/directord/directord.pid)" ] || fail "another director"
    tell_gap
}

story "heartbeat, warm standby"
step "both stand by: they check and write nothing" both_stand_by
step "one is active" one_is_active
step "power-off of the active node" takes_over
step "it returns" returns
step "heartbeat is stopped on the active node" is_released
