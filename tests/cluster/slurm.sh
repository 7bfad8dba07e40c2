#!/bin/bash
# A Slurm of one node on loopback, without systemd: munged, slurmctld and slurmd as processes of ours, everything in one folder.
#   tests/cluster/slurm.sh start FOLDER     as root; then: export SLURM_CONF=FOLDER/slurm.conf
#   tests/cluster/slurm.sh stop FOLDER      cancels what runs, ends the daemons
# Needs the Debian packages slurm-wlm and munge (tools/setup --cluster). CLUSTER_PORT: the first of two ports (17817).
# Traps: jobs outlive slurmd, so they are cancelled first; a daemon that is gone may stay as a zombie, so its command line decides.
set -eu
[ $# = 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$2
port=${CLUSTER_PORT:-17817}
cpus=4 # more than there may be: tasks of a test wait for nothing
host=$(uname -n)
host=${host%%.*}
export SLURM_CONF=$folder/slurm.conf

fail() {
    echo "slurm.sh: $*; logs in $folder" >&2
    exit 1
}
wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "timed out: $*"
        sleep 0.1
    done
}
alive() { # DAEMON
    local pid
    pid=$(cat "$folder/$1.pid" 2> /dev/null) || return 1
    [[ "$(tr '\0' ' ' 2> /dev/null < "/proc/$pid/cmdline")" == "/usr/sbin/$1 "* ]]
} 2> /dev/null
gone() { ! alive "$1"; }
daemon() { # NAME ARGUMENTS...: in a session of its own
    local name=$1
    shift
    ! alive "$name" || return 0
    setsid "/usr/sbin/$name" "$@" < /dev/null >> "$folder/$name.out" 2>&1 &
    echo $! > "$folder/$name.pid" # a script's child leads no group, so setsid keeps its pid
}
node_is_up() { [[ "$(sinfo -h -N -o %T)" =~ ^(idle|mixed|allocated)$ ]]; }
is_drained() {
    local queue
    queue=$(squeue -h) && [ -z "$queue" ]
}

start() {
    local address bind
    for tool in /usr/sbin/munged /usr/sbin/slurmctld /usr/sbin/slurmd; do
        [ -x $tool ] || fail "$tool is missing: tools/setup --cluster"
    done
    address=$(getent ahostsv4 "$host" | awk 'NR == 1 { print $1 }')
    case $address in # No...AddrAny bind to what the host's name means
        127.*) bind=CommunicationParameters=NoCtldInAddrAny,NoInAddrAny ;;
        *) address=127.0.0.1 bind='# the host name is not on loopback: listens everywhere, the munge key is still needed' ;;
    esac
    install -d -m 755 "$folder"
    install -d -m 700 "$folder/state" "$folder/spool"
    [ -s "$folder/munge.key" ] || mungekey --create --keyfile "$folder/munge.key"
    cat > "$SLURM_CONF" << CONF
ClusterName=one
SlurmctldHost=$host($address)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
$bind
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.sock,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.self.pid
SlurmdPidFile=$folder/slurmd.self.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
JobRequeue=1
JobFileAppend=1
KillWait=2
NodeName=$host NodeAddr=$address Sockets=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=1000
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    daemon munged -F --force --socket="$folder/munge.sock" --key-file="$folder/munge.key" --pid-file="$folder/munged.self.pid" --seed-file="$folder/munged.seed"
    wait_for 20 munge -n -S "$folder/munge.sock"
    daemon slurmctld -D
    daemon slurmd -D -N "$host"
    wait_for 90 node_is_up
}

stop() {
    if alive slurmctld && alive munged; then
        scancel -u root
        wait_for 30 is_drained
    fi
    for d in slurmd slurmctld munged; do
        if alive $d; then
            kill "$(cat "$folder/$d.pid")"
            wait_for 30 gone $d
        fi
    done
}

case $1 in
    start) start ;;
    stop) stop ;;
    *) fail "start or stop, not $1" ;;
esac
