#!/bin/bash
# The OCF agents by ocf-tester and by hand: ours, and Debian's for ldirectord with directord in
# ldirectord's place.
. "$(dirname "$0")/world.bash"

agent=/usr/lib/ocf/resource.d/directord/directord
call() { on lvs1 env OCF_ROOT=/usr/lib/ocf "$@"; }
answers() {
    local want=$1 is=0
    shift
    call "$@" >"$work/must" 2>&1 || is=$?
    [ $is = "$want" ] || fail "$* exits $is, not $want: $(<"$work/must")"
}

set_up() {
    boot lvs1
    install_files ldirectord lvs1
    install_files pacemaker lvs1
    on lvs1 ip addr add $vip/24 dev eth0
}

tester_is_content() {
    must on lvs1 ocf-tester -n director "$agent"
    # It tells of what an agent has not and might; what counts is that.
    grep -q ' passed all tests$' "$work/must" || fail "$(<"$work/must")"
}

statuses() {
    answers 7 "$agent" monitor
    answers 0 "$agent" stop
    answers 0 "$agent" validate-all
    answers 0 "$agent" start
    answers 0 "$agent" start
    answers 0 "$agent" monitor
    has_table lvs1 || fail "start returned without the virtual service"
    answers 0 "$agent" reload
    answers 0 "$agent" stop
    has_no_table lvs1 || fail "stop returned with the virtual service"
    answers 7 "$agent" monitor
    answers 3 "$agent" promote
    answers 0 "$agent" meta-data
}

mistakes() {
    on lvs1 sed -i 's/^scheduler/schedular/' /etc/directord/conf.d/www.yaml
    answers 2 "$agent" validate-all
    grep -q '^ocf-exit-reason:.*schedular' "$work/must" || fail "no reason: $(<"$work/must")"
    # A node that has served serves on, with what it took last.
    answers 0 "$agent" start
    answers 0 "$agent" stop
    # One that has not has nothing.
    on lvs1 rm -r /var/lib/directord
    answers 1 "$agent" start
    answers 7 "$agent" monitor
    on lvs1 sed -i 's/^schedular/scheduler/' /etc/directord/conf.d/www.yaml
    # No program: nothing runs, and nothing has to be stopped.
    answers 5 env OCF_RESKEY_binary=/nowhere "$agent" monitor
    answers 0 env OCF_RESKEY_binary=/nowhere "$agent" stop
}

frozen() {
    answers 0 "$agent" start
    on lvs1 sh -c 'kill -STOP $(cat /run/directord/directord.pid)'
    answers 1 "$agent" monitor
    answers 0 "$agent" stop
    answers 7 "$agent" monitor
    has_no_table lvs1 || fail "its services are left"
}

# By the name of ldirectord, as a package that replaces it would have it.
drop_in() {
    on lvs1 ln -sf directord /usr/sbin/ldirectord
    must on lvs1 ocf-tester -n ldirectord -o configfile=/etc/ha.d/www \
        /usr/lib/ocf/resource.d/heartbeat/ldirectord
    grep -q ' passed all tests$' "$work/must" || fail "$(<"$work/must")"
}

story "OCF agents"
step "ocf-tester on ocf:directord:directord" eval 'set_up; tester_is_content'
step "exit statuses" statuses
step "mistakes, and no program" mistakes
step "a frozen director" frozen
step "ocf-tester on ocf:heartbeat:ldirectord, with directord for ldirectord" drop_in
