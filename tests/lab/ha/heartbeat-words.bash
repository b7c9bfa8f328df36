# Words of the stories about heartbeat 3. Sourced by them.
. "$(dirname "$0")/world.bash"

deadtime=3

start_heartbeat() { must on "$1" /usr/libexec/heartbeat/heartbeat; }
stop_heartbeat() { must on "$1" /usr/libexec/heartbeat/heartbeat -k; }

# The files of each of SETUPS, the later ones over the earlier.
set_up() {
    local setup node
    for node in lvs1 lvs2; do
        boot $node
        for setup; do install_files "$setup" $node; done
        on $node chmod 600 /etc/ha.d/authkeys
    done
}

both_start() {
    client $vip 80
    start_heartbeat lvs1
    start_heartbeat lvs2
    eventually "lvs1 serves" is_active lvs1 lvs2
}

lvs1_loses_power() {
    mark
    power_off lvs1
    eventually "lvs2 serves" carries lvs2
    eventually "the client is served" is_served $vip 80
    tell_takeover
}

lvs1_returns() {
    boot lvs1
    mark
    start_heartbeat lvs1
    eventually "lvs1 serves again" is_active lvs1 lvs2
    tell_gap
}
