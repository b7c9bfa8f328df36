#!/bin/bash
# The same pair with `auto_failback off`: who has taken over keeps the address.
. "$(dirname "$0")/heartbeat-words.bash"

without_failback() {
    local node
    set_up ldirectord
    for node in lvs1 lvs2; do
        on $node sed -i 's/^auto_failback on/auto_failback off/' /etc/ha.d/ha.cf
    done
    both_start
}

lvs1_returns_and_waits() {
    mark
    boot lvs1
    start_heartbeat lvs1
    eventually "heartbeat runs on lvs1" on lvs1 cl_status hbstatus
    throughout "lvs2 serves" $((deadtime * 3)) is_active lvs2 lvs1
    tell_gap
}

is_handed_back() {
    mark
    must on lvs2 /usr/share/heartbeat/hb_standby all
    eventually "lvs1 serves" is_active lvs1 lvs2
    tell_gap
}

# A resource whose stop fails while its status says "running" is the one thing heartbeat knows no
# way out of but a reboot; here `reboot` leaves a mark, and we pull the plug.
stop_fails() {
    local node
    for node in lvs1 lvs2; do
        put $node /etc/ha.d/resource.d/stubborn <<'END'
#!/bin/sh
case $1 in
stop) exit 1 ;;
status) echo running ;;
esac
END
        on $node chmod 755 /etc/ha.d/resource.d/stubborn
        on $node sed -i 's/$/ stubborn/' /etc/ha.d/haresources
    done
    mark
    # It does not come back to tell.
    on lvs1 /usr/libexec/heartbeat/heartbeat -k &
    eventually "lvs1 reboots" test -s "$(file lvs1 /var/log/reboot)"
    power_off lvs1
    eventually "lvs2 serves" carries lvs2
    eventually "the client is served" is_served $vip 80
    tell_gap
}

story "heartbeat, auto_failback off"
step "both start, the first serves" without_failback
step "power-off of the active node" lvs1_loses_power
step "it returns: no failback" lvs1_returns_and_waits
step "hb_standby hands back" is_handed_back
step "a stop that fails reboots the node" stop_fails
