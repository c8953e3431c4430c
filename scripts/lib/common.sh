# shellcheck shell=bash
# What every script here needs. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export root

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$(basename "$0"): $1"
    exit "${2:-1}"
}

# One job per core, but each with a gigabyte of memory to itself: more would swap or be killed.
build_jobs() {
    local cores memory_kib jobs limit
    cores=$(nproc)
    memory_kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    if limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) && [[ $limit =~ ^[0-9]+$ ]]; then
        limit=$((limit / 1024))
        if ((limit < memory_kib)); then memory_kib=$limit; fi
    fi
    jobs=$((memory_kib / 1024 / 1024))
    if ((jobs > cores)); then jobs=$cores; fi
    if ((jobs < 1)); then jobs=1; fi
    echo "$jobs"
}
