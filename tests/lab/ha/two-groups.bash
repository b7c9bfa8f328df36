#!/bin/bash
# Active/active: each node has a service of its own, and takes the other's as well when that one
# dies.
. "$(dirname "$0")/heartbeat-words.bash"

mail=10.0.0.8

each_serves_its_own() {
    client $vip 80
    client $mail 25
    start_heartbeat lvs1
    start_heartbeat lvs2
    eventually "each serves its own" each_its_own
}
each_its_own() {
    carries lvs1 && carries lvs2 $mail 25 && carries_nothing lvs2 && carries_nothing lvs1 $mail 25 &&
        is_served $vip 80 && is_served $mail 25
}

one_takes_both() {
    mark
    power_off lvs1
    eventually "lvs2 has both" eval "carries lvs2 && carries lvs2 $mail 25"
    eventually "the client is served" is_served $vip 80
    tell_takeover
    # Whose director did not change was not disturbed.
    at_most "$(gap $mail 25)" 1 || fail "mail was away for $(gap $mail 25) s"
}

it_gets_its_own_back() {
    mark
    boot lvs1
    start_heartbeat lvs1
    eventually "each serves its own" each_its_own
    tell_gap
    tell_gap $mail 25
}

story "heartbeat, two groups"
step "each serves its own" eval 'set_up ldirectord two-groups; each_serves_its_own'
step "one dies, the other serves both" one_takes_both
step "it returns, and has its own again" it_gets_its_own_back
