#!/bin/bash
# Two directors under Debian's heartbeat 3: the HOWTO's scenario with ldirectord, as
# docs/high-availability.md sets it up.
. "$(dirname "$0")/heartbeat-words.bash"

one_link_is_cut() {
    mark
    unplug lvs1 hb0
    throughout "lvs1 serves" $((deadtime * 2)) is_active lvs1 lvs2
    plug lvs1 hb0
    throughout "lvs1 serves" $((deadtime + 1)) is_active lvs1 lvs2
    tell_gap
}

heartbeat_is_stopped() {
    mark
    stop_heartbeat lvs1
    eventually "lvs2 serves" is_active lvs2 lvs1
    tell_gap
}

heartbeat_comes_back() {
    mark
    start_heartbeat lvs1
    eventually "lvs1 serves again" is_active lvs1 lvs2
    tell_gap
}

# Each reaches the client, and not the other: worse than two pulled cables, for both are heard.
all_links_are_cut() {
    mark
    unplug lvs1 hb0
    isolate on
    eventually "both hold the address" both_carry
    throughout "both hold the address" $deadtime both_carry
    tell_gap
}
# As a switch does for ports that are to be kept from each other.
isolate() {
    ip link set lvs1.eth0 type bridge_slave isolated "$1"
    ip link set lvs2.eth0 type bridge_slave isolated "$1"
}
both_carry() { carries lvs1 && carries lvs2; }

all_links_are_mended() {
    mark
    plug lvs1 hb0
    isolate off
    eventually "one of them gives way" one_carries
    # Neither trusts its own state any more: they start anew, and the outage comes after the split.
    sleep $((deadtime * 10))
    eventually "one of them serves" one_carries
    tell_gap
}
one_carries() { is_active lvs1 lvs2 || is_active lvs2 lvs1; }

story "heartbeat, ldirectord"
step "both start, the first serves" eval 'set_up ldirectord; both_start'
step "power-off of the active node" lvs1_loses_power
step "it returns, and takes over again" lvs1_returns
step "one of two links is cut: no failover" one_link_is_cut
step "heartbeat is stopped on the active node" heartbeat_is_stopped
step "and started again" heartbeat_comes_back
step "all links are cut: both hold the address" all_links_are_cut
step "the links are mended: one gives way" all_links_are_mended
