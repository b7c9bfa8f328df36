#!/bin/bash
# Two directors under Debian's pacemaker and corosync, as docs/high-availability.md sets them up.
. "$(dirname "$0")/pacemaker-words.bash"

standby() {
    mark
    must on lvs2 crm_standby --node lvs1.domain.com --update on
    eventually "lvs2 serves" is_active lvs2 lvs1
    tell_gap
}

unstandby() {
    mark
    must on lvs2 crm_standby --node lvs1.domain.com --delete
    eventually "lvs1 serves again" is_active lvs1 lvs2
    tell_gap
}

monitor_fails() {
    local frozen
    mark
    frozen=$(on lvs1 cat /run/directord/directord.pid)
    on lvs1 kill -STOP "$frozen"
    eventually "another director runs in its place" runs_anew "$frozen"
    eventually "the client is served" is_served $vip 80
    tell_gap
}
runs_anew() {
    local pid
    pid=$(on lvs1 cat /run/directord/directord.pid) || return
    [ "$pid" != "$1" ] && carries lvs1
}

is_killed() {
    local killed
    mark
    killed=$(on lvs1 cat /run/directord/directord.pid)
    on lvs1 kill -9 "$killed"
    eventually "another director runs in its place" runs_anew "$killed"
    eventually "the client is served" is_served $vip 80
    tell_gap
}

loses_power() {
    mark
    power_off lvs1
    eventually "lvs2 serves" carries lvs2
    eventually "the client is served" is_served $vip 80
    tell_takeover
}

returns() {
    mark
    boot lvs1
    start_cluster lvs1
    eventually "lvs1 serves again" is_active lvs1 lvs2
    tell_gap
}

story "pacemaker"
step "both start, the first serves" eval 'set_up lvs1 lvs2; both_start'
step "standby" standby
step "and back" unstandby
step "the director is killed: the monitor sees it" is_killed
step "the director is frozen: the monitor sees it" monitor_fails
step "power-off of the active node" loses_power
step "it returns" returns
