# Words of the stories about Pacemaker. Sourced by them.
. "$(dirname "$0")/world.bash"

start_cluster() {
    local node
    for node; do
        on $node sh -c 'exec corosync -f >/var/log/corosync/start 2>&1' &
        eventually "corosync answers on $node" on $node corosync-cmapctl -q
        # What a unit of systemd's starts in its place.
        on $node env PCMK_ipc_type=socket PCMK_logfile=/var/log/pacemaker/pacemaker.log \
            sh -c 'exec pacemakerd >/var/log/pacemaker/start 2>&1' &
    done
}

set_up() {
    local node
    for node; do
        boot $node
        install_files corosync $node
        install_files pacemaker $node
        # corosync-keygen made it on one node, and scp brought it to the others.
        [ -s "$work/authkey" ] || on $node corosync-keygen -l -k /dev/stdout >"$work/authkey"
        put $node /etc/corosync/authkey <"$work/authkey"
        on $node chmod 400 /etc/corosync/authkey
        on $node chown hacluster:haclient /var/lib/pacemaker/cib/cib.xml
        on $node chmod 600 /var/lib/pacemaker/cib/cib.xml
    done
}

both_start() {
    client $vip 80
    start_cluster lvs1 lvs2
    eventually "lvs1 serves" is_active lvs1 lvs2
}
