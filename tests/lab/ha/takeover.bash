#!/bin/bash
# One failover by Debian's ldirectord and one by directord, in the same guest: how long `start` of
# heartbeat's resource takes, and how long the client waits. The cluster manager's part is played
# here, by its words and without its silence: the address is added, then `start` is called.
. "$(dirname "$0")/world.bash"

set_up() {
    local node
    for node in lvs1 lvs2; do
        boot $node
        install_files ldirectord $node
    done
    client $vip 80
    take_over lvs1 /etc/ha.d/resource.d/ldirectord
}

# NODE takes the service over by this resource script, from whoever has just lost power.
take_over() {
    local node=$1 script=$2
    must on "$node" ip addr add $vip/32 dev eth0
    on "$node" arping -q -U -c 3 -I eth0 $vip &
    began=$EPOCHREALTIME
    must on "$node" "$script" www start
    took=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
    eventually "the client is served" is_served $vip 80
    carries "$node" || fail "$node does not carry the service"
}

# The winner's start and gap go to a file of its name.
fails_over() {
    local from=$1 to=$2 name=$3 script=$4
    mark
    power_off "$from"
    take_over "$to" "$script"
    echo "$took $(gap $vip 80)" >"$work/$name"
    say "start $took s, gap $(gap $vip 80) s"
}

ldirectord_takes_over() { fails_over lvs1 lvs2 ldirectord /usr/sbin/ldirectord; }

directord_takes_over() {
    boot lvs1
    fails_over lvs2 lvs1 directord /etc/ha.d/resource.d/ldirectord
}

# ldirectord's `start` returns before it has asked anybody, ours when the services are in place. By
# how much is for the reader: what is played here is a program that was built for tests.
directord_is_quicker() {
    paste -d ' ' "$work/directord" "$work/ldirectord" | awk '{ exit !($1 < $3 && $2 < $4) }' ||
        fail "start and gap are $(<"$work/directord") s, with ldirectord $(<"$work/ldirectord") s"
}

story "takeover"
step "a first one, by directord" set_up
step "power-off of the active node, ldirectord takes over" ldirectord_takes_over
step "power-off of that one, directord takes over" directord_takes_over
step "directord's start and gap are the shorter ones" directord_is_quicker
