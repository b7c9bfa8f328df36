#!/bin/bash
# Three directors under Pacemaker: with three a majority decides, and the node that is cut off gives
# its address back instead of keeping it.
. "$(dirname "$0")/pacemaker-words.bash"

set_up_three() {
    local node
    set_up lvs1 lvs2 lvs3
    for node in lvs1 lvs2 lvs3; do
        # The document's files, for three: quorum counts, and there is a third node.
        on $node sed -i -e '/two_node/d; /wait_for_all/d' \
            -e '/^nodelist {/a node { \n name: lvs3.domain.com\n nodeid: 3\n ring0_addr: 172.16.0.7\n ring1_addr: 10.0.0.7\n}' \
            -e 's/^node { $/node {/' /etc/corosync/corosync.conf
        on $node sed -i 's/name="no-quorum-policy" value="ignore"/name="no-quorum-policy" value="stop"/' \
            /var/lib/pacemaker/cib/cib.xml
    done
    client $vip 80
    start_cluster lvs1 lvs2 lvs3
    eventually "lvs1 serves" is_active lvs1 lvs2
}

another_serves() { { carries lvs2 && carries_nothing lvs3; } || { carries lvs3 && carries_nothing lvs2; }; }

first_dies() {
    mark
    power_off lvs1
    eventually "another serves" another_serves
    eventually "the client is served" is_served $vip 80
    tell_takeover
}

it_returns() {
    mark
    boot lvs1
    start_cluster lvs1
    eventually "lvs1 serves again" is_active lvs1 lvs2
    tell_gap
}

is_cut_off() {
    mark
    unplug lvs1 eth0
    unplug lvs1 hb0
    eventually "another serves" another_serves
    eventually "the client is served" is_served $vip 80
    eventually "lvs1 gives its address back" carries_nothing lvs1
    tell_takeover
}

is_back() {
    mark
    plug lvs1 eth0
    plug lvs1 hb0
    eventually "lvs1 serves again" is_active lvs1 lvs2
    tell_gap
}

story "pacemaker, three nodes"
step "the first serves" set_up_three
step "power-off of the active node" first_dies
step "it returns" it_returns
step "the active node is cut off: it gives way" is_cut_off
step "it is back" is_back
