#!/bin/bash
# The HOWTO's first scenario: virtual services by `lvs`, servers watched by `mon`.
. "$(dirname "$0")/heartbeat-words.bash"

both_kinds_are_served() {
    client $vip 25
    both_start
    eventually "mail is served" is_served $vip 25
    eventually "the table of lvs is there" has_table lvs1 $vip:25
}

# mon's first look at a server is one interval after the start, and nobody gets traffic unseen: what
# the checks of lvs bring back at once waits for that here.
takes_over_both() {
    mark
    power_off lvs1
    eventually "lvs2 serves" carries lvs2
    eventually "mail is served" is_served $vip 25
    tell_takeover $vip 25
    eventually "the client is served" is_served $vip 80
    say "watched by mon: gap $(gap $vip 80) s"
}

# Out of the table by mon's watch.
a_server_dies() {
    eventually "both answer" eval 'answers www1 && answers www2'
    kill -9 "$(<"$work/www1/server.pid")"
    eventually "www2 answers alone" answers_alone www2
    serve www1
    eventually "www1 answers again" answers www1
}
answers_alone() { [ "$(tail -n 8 "$work/client.$vip.80" | cut -d ' ' -f 3- | sort -u)" = "$1" ]; }
answers() { tail -n 8 "$work/client.$vip.80" | grep -q " $1\$"; }

is_released() {
    mark
    stop_heartbeat lvs1
    eventually "lvs2 serves" is_active lvs2 lvs1
    tell_gap
}

story "heartbeat, lvs and mon"
step "both start, the first serves" eval 'set_up ldirectord lvs-mon; both_kinds_are_served'
step "a server dies, and comes back" a_server_dies
step "heartbeat is stopped on the active node" is_released
step "and started again" eval 'start_heartbeat lvs1; eventually "lvs1 serves again" is_active lvs1 lvs2'
step "power-off of the active node" takes_over_both
