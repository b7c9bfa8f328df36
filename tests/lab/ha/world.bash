# The world of the two directors: nodes, cables, real servers, a client that keeps asking; and the
# words in which the stories are told. Sourced by the stories (heartbeat.bash and its like), which
# run in namespaces of their own (see ../test-ha): this shell's network is the switch.
#
#   client 10.0.0.10 -----+               +----- www1 10.0.0.4
#                         +----- br0 -----+----- www2 10.0.0.5
#   lvs1 10.0.0.1 eth0 ---+  10.0.0.0/24
#   lvs2 10.0.0.2 eth0 ---+                      VIP 10.0.0.3, of the second group 10.0.0.8
#   lvs3 10.0.0.7 eth0 ---+                      (lvs3 in one story only)
#      their hb0 --------- brh 172.16.0.0/24
#
# With a real table (inside the guest) the directors forward by direct routing; elsewhere the table
# is in memory and `forward` stands in for the kernel.

ha=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$ha/../../.." && pwd)
vip=10.0.0.3

if [ -n "${DIRECTORD_LAB:-}" ]; then
    lower=/mnt/low table=kernel
    # A fork costs 20 ms there, and whatever polls is the load itself.
    pause=0.5 patience=300 every=0.1 timeout=1
else
    lower=/ table=memory
    pause=0.1 patience=40 every=0.02 timeout=0.25
fi
export DIRECTORD_TABLE=$table

# --- machines -----------------------------------------------------------------------------------

# A client and servers, and a place for the disks of the directors. All of it ends with this shell,
# which is process 1 of the namespaces of its story.
new_world() {
    work=$LAB_WORK
    ip link set lo up
    ip link add br0 type bridge forward_delay 0 mcast_snooping 0
    ip link add brh type bridge forward_delay 0 mcast_snooping 0
    ip link set br0 up
    ip link set brh up
    local server
    for server in www1:4 www2:5; do
        host "${server%:*}"
        cable "${server%:*}" eth0 br0 "10.0.0.${server#*:}/24"
        # The addresses are the director's; a real server takes what comes for them and keeps
        # quiet about it.
        inside "${server%:*}" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
        inside "${server%:*}" ip addr add 10.0.0.3/32 dev lo
        inside "${server%:*}" ip addr add 10.0.0.8/32 dev lo
        serve "${server%:*}"
    done
    host client
    cable client eth0 br0 10.0.0.10/24
}

# The server of a machine of that name; `kill -9` of its pid file's is its death.
serve() {
    nsenter -t "$(pid "$1")" -n -u -- "$ha/server" "$1" 80 25 443 &
    echo $! >"$work/$1/server.pid"
    # Or this shell would tell of its death in the middle of the story.
    disown
}

# A machine that is no more than a network.
host() {
    mkdir -p "$work/$1"
    unshare --net --uts -- env --ignore-signal=TERM sleep infinity &
    echo $! >"$work/$1/pid"
    local tries
    # Until it has left our network, its cables would be ours.
    for ((tries = 0; tries < 100; tries++)); do
        [ "$(readlink "/proc/$!/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
        sleep 0.05
    done
    inside "$1" ip link set lo up
}

# Switches a node on: its cables and its process 1; not its cluster software.
boot() {
    local name=$1 number
    number=$(number_of "$name")
    mkdir -p "$work/$name"
    : >"$work/$name/pid"
    unshare --net --uts --ipc --pid --mount --fork --kill-child -- \
        "$ha/node" "$name.domain.com" "$work/$name" "$lower" "$LAB_DIRECTORD" &
    eventually "$name boots" test -s "$work/$name/pid"
    cable "$name" eth0 br0 "10.0.0.$number/24"
    cable "$name" hb0 brh "172.16.0.$number/24"
    if [ $table = memory ]; then
        put "$name" /run/forward <"$ha/forward"
        on "$name" chmod 755 /run/forward
        on "$name" /run/forward 80 25 443 >"$work/$name/forward.log" 2>&1 &
    fi
}

# Pulls the plug: nothing of it runs any more, nobody was told.
power_off() {
    # The cables first: a network outlives its processes for a moment, and would refuse.
    ip link del "$1.eth0"
    ip link del "$1.hb0"
    kill -9 "$(pid "$1")"
    : >"$work/$1/pid"
}

number_of() {
    case $1 in lvs1) echo 1 ;; lvs2) echo 2 ;; lvs3) echo 7 ;; esac
}

cable() {
    local host=$1 device=$2 bridge=$3 address=$4
    # What is left of a plug that was pulled a moment ago.
    ip link del "$host.$device" 2>/dev/null || true
    ip link add "$host.$device" type veth peer name "$device" netns "$(pid "$host")"
    ip link set "$host.$device" master "$bridge" up
    inside "$host" ip addr add "$address" brd + dev "$device"
    inside "$host" ip link set "$device" up
}

unplug() { ip link set "$1.$2" down; }
plug() { ip link set "$1.$2" up; }

pid() { cat "$work/$1/pid"; }
# On the machine's network; our files.
inside() { local host=$1; shift; nsenter -t "$(pid "$host")" -n -u -- "$@"; }
# On the director, as if logged in.
on() { local node=$1; shift; nsenter -t "$(pid "$node")" -a -r -w -- "$@"; }
# A file of a director's, to look at from here. Never to write to: a link in its path would lead
# into the machine's own files.
file() { echo "/proc/$(pid "$1")/root$2"; }
# Standard input becomes a file of a director's.
put() { on "$1" sh -c 'mkdir -p "${1%/*}" && cat >"$1"' sh "$2"; }

# Lays down the files that docs/high-availability.md shows for a setup: what is tested is what is
# copied from there.
install_files() {
    local setup=$1 node=$2 path found=
    for path in $(sed -n "s/^\`\`\`[a-z]* $setup //p" "$top/docs/high-availability.md"); do
        sed -n "/^\`\`\`[a-z]* $setup ${path//\//\\/}\$/,/^\`\`\`\$/{/^\`\`\`/!p}" \
            "$top/docs/high-availability.md" | put "$node" "$path"
        found=yes
    done
    [ -n "$found" ] || fail "the document has no files of $setup"
}

# --- the client ---------------------------------------------------------------------------------

# Starts a client of ADDRESS PORT; what it sees is in a file of that name.
client() {
    inside client "$ha/client" "$1" "$2" "$every" "$timeout" >"$work/client.$1.$2" &
    echo $! >"$work/client/$1.$2.pid"
}

# Whether the last request was answered, and that a moment ago.
is_served() {
    local began ended body
    # Not <(...): the guest has no /dev/fd.
    read -r began ended body <<<"$(tail -n 1 "$work/client.$1.$2")"
    [ -n "$body" ] && [ "${body:0:1}" != - ] &&
        [ $((${EPOCHREALTIME/./} / 1000 - ${ended/./})) -lt 2000 ]
}

# From here on outages count.
mark() { mark=$EPOCHREALTIME; }

# The longest time since the mark without an answer, in seconds: from the beginning of the last
# request that was answered before it to the end of the first after it.
gap() {
    awk -v mark="$mark" '
        $3 == "-" { next }
        $2 < mark { last = $1; next }
        last && $2 - last > longest { longest = $2 - last }
        { last = $1 }
        END { printf "%.2f\n", longest }' "$work/client.$1.$2"
}

# How long the client was refused before it was answered again: the address was there, and the table
# was not yet. This is the director's share of a takeover, the rest is the cluster manager's.
refused() {
    awk -v mark="$mark" '
        $2 < mark { next }
        /refused/ && !since { since = $1 }
        $3 != "-" { if (since && $2 - since > longest) longest = $2 - since; since = 0 }
        END { printf "%.2f\n", longest }' "$work/client.$1.$2"
}

# Says what the client saw since the mark.
tell_gap() {
    local gap
    gap=$(gap "${1:-$vip}" "${2:-80}")
    say "gap $gap s"
}

# The same for a takeover, where nobody has the address until the table's turn has come.
tell_takeover() {
    local refused
    tell_gap "$@"
    refused=$(refused "${1:-$vip}" "${2:-80}")
    say "$refused s of it after the address"
    [ $table = kernel ] || at_most "$refused" 1 || fail "an address without a table for $refused s"
}

at_most() { awk -v is="$1" -v most="$2" 'BEGIN { exit !(is <= most) }'; }

# --- assertions ---------------------------------------------------------------------------------

fail() {
    echo "  FAILED: $*"
    exit 1
}

# Waits until COMMAND succeeds.
eventually() {
    local what=$1 end=$((SECONDS + patience))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "not within $patience s: $what"
        sleep $pause
    done
}

# COMMAND must hold for all of SECONDS.
throughout() {
    local what=$1 end=$((SECONDS + $2))
    shift 2
    while [ $SECONDS -lt $end ]; do
        "$@" >/dev/null 2>&1 || fail "no longer: $what"
        sleep $pause
    done
}

must() { "$@" >"$work/must" 2>&1 || fail "$*: $(<"$work/must")"; }
# Not `! command`, which set -e does not heed.
must_not() { if "$@" >"$work/must" 2>&1; then fail "should not succeed: $*: $(<"$work/must")"; fi; }

has_address() { [ -n "$(on "$1" ip -o addr show to "${2:-$vip}/32")" ]; }
has_no_address() { ! has_address "$@"; }

# Whether a director of this node has the service in its table.
has_table() {
    local service=${2:-$vip:80} socket
    if [ $table = kernel ]; then
        on "$1" ipvsadm -Sn | grep -q -- "-A -t $service "
        return
    fi
    for socket in $(on "$1" find /run/directord -name control.sock 2>/dev/null); do
        socket=${socket%/control.sock}
        # One that stands by has none.
        [ "$(on "$1" directord role --runtime-dir "$socket" 2>/dev/null)" != standby ] || continue
        on "$1" directord status --runtime-dir "$socket" 2>/dev/null |
            grep -q "^service $service/tcp .* in-sync " && return
    done
    return 1
}
has_no_table() { ! has_table "$@"; }

# The node is the one that serves: address and table.
carries() { has_address "$1" "${2:-$vip}" && has_table "$1" "${2:-$vip}:${3:-80}"; }
carries_nothing() { has_no_address "$1" "${2:-$vip}" && has_no_table "$1" "${2:-$vip}:${3:-80}"; }

# $1 serves and $2 does not.
is_active() { carries "$1" && carries_nothing "$2" && is_served $vip 80; }

# --- telling ------------------------------------------------------------------------------------

# A part of a story. The parts build on each other, so after one that failed the others of its
# story cannot be told; they count as failed too, not as left out.
broken=
step() {
    local name=$1 start=$EPOCHREALTIME status=0
    shift
    if [ -n "$broken" ]; then
        echo "test $story: $name ... FAILED, an earlier part did"
        return
    fi
    # A shell of its own, left at the first command that fails.
    : >"$work/said"
    : >"$work/step"
    (set -e; "$@"; exit 0) >>"$work/step" 2>&1
    status=$?
    local took
    took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    if [ $status = 0 ]; then
        echo "test $story: $name ... ok, $took s$(cat "$work/said")"
    else
        echo "test $story: $name ... FAILED, $took s"
        cat "$work/step"
        tell_logs
        broken=yes
    fi
}

# Something measured, for the line of the step.
say() { printf ', %s' "$*" >>"$work/said"; }

story() {
    story=$1 broken=
    new_world
}

tell_logs() {
    local node log
    tail -n 3 "$work"/client.*
    for node in lvs1 lvs2 lvs3; do
        [ -s "$work/$node/pid" ] || continue
        echo "--- $node holds"
        on $node ip -o -4 addr show dev eth0
        on $node sh -c 'for socket in $(find /run/directord -name control.sock); do
            timeout 5 directord status --runtime-dir "${socket%/control.sock}"; done'
        tail -n 5 "$work/$node/forward.log"
        for log in ha-log ldirectord.log directord.log pacemaker/pacemaker.log; do
            log=$(file "$node" "/var/log/$log")
            [ ! -s "$log" ] || { echo "--- $node ${log##*/}"; tail -n 25 "$log"; }
        done
    done
}
