# Sourced by ./dev: starting and stopping an installation, with or without the demo's stand-ins.
# shellcheck shell=bash disable=SC2154

# Where things are for this caller; $demo is "" or "-demo".
run_places()
{
    if is_root; then
        prefix=/opt/poppo-builder
        data=/var/lib/poppo-builder$demo
        key=/etc/poppo-builder/master$demo.key
        sockets=/run/poppo-builder$demo
    else
        prefix=$work/prefix
        data=$work/data$demo
        key=$work/keys/master$demo.key
        sockets=$work/run$demo
    fi
    pid_file=$work/up$demo.pid
    log_file=$work/up$demo.log
}

# When a process began, in the kernel's clock: with it, its number is not taken for a later one's.
began_at()
{
    local line
    { line=$(<"/proc/$1/stat"); } 2>/dev/null || return
    # shellcheck disable=SC2086
    set -- ${line##*) }
    echo "${20}"
}

# The process that `up --detach` left, if it still runs.
background_process()
{
    local pid began
    { read -r pid began <"$pid_file"; } 2>/dev/null || return 0
    if [ -n "$began" ] && [ "$(began_at "$pid")" = "$began" ]; then
        echo "$pid"
    fi
}

run_up()
{
    local detach=
    demo=
    settings=()
    while [ $# -gt 0 ]; do
        case $1 in
        --demo) demo=-demo ;;
        --detach | -d) detach=yes ;;
        -h | --help)
            usage
            return
            ;;
        *) settings+=("$1") ;;
        esac
        shift
    done
    run_places
    setup_build
    setup_users
    build_all
    build_stage "$prefix"
    if [ -n "$demo" ]; then
        build_rig_modules
        build_stage_demo "$prefix"
    fi
    settings=(--data-dir "$data" --key-file "$key" --run-dir "$sockets" "${settings[@]}")
    if [ -n "$detach" ]; then
        run_detached
    else
        run_foreground
    fi
}

run_foreground()
{
    if [ -z "$demo" ]; then
        exec "$prefix/bin/poppo-platform" "${settings[@]}"
    fi
    demo_start
    trap demo_stop EXIT
    trap 'kill -TERM "$platform" 2>/dev/null' INT TERM
    "$prefix/bin/poppo-platform" "${settings[@]}" &
    platform=$!
    local status=0
    wait "$platform" || status=$?
    while kill -0 "$platform" 2>/dev/null; do # a signal ended the wait, the platform is still leaving
        wait "$platform" || status=$?
    done
    return "$status"
}

run_detached()
{
    local pid
    pid=$(background_process)
    if [ -n "$pid" ]; then
        say "already running (process $pid); stop it with: ./dev down${demo:+ --demo}"
        return
    fi
    install -m 600 /dev/null "$log_file" # the setup link is in it
    (trap '' HUP; run_foreground) >>"$log_file" 2>&1 </dev/null &
    pid=$!
    echo "$pid $(began_at "$pid")" >"$pid_file"
    for _ in $(seq 600); do
        grep -q 'listening on http' "$log_file" && break
        kill -0 "$pid" 2>/dev/null || break
        read -rt 0.1 <> <(:) || true
    done
    cat "$log_file"
    kill -0 "$pid" 2>/dev/null || die "it did not start; the output above says why"
    say "running in the background; its log is $log_file; stop it with: ./dev down${demo:+ --demo}"
}

run_down()
{
    demo=
    [ "${1:-}" = --demo ] && demo=-demo
    run_places
    local pid
    pid=$(background_process)
    if [ -z "$pid" ]; then
        say "not running in the background (what runs in a terminal is stopped by Ctrl-C there)"
        return
    fi
    kill -TERM "$pid"
    tail --pid="$pid" -f /dev/null
    rm -f "$pid_file"
    say "stopped"
}

run_status()
{
    demo=
    [ "${1:-}" = --demo ] && demo=-demo
    run_places
    local pid
    pid=$(background_process)
    if [ -n "$pid" ]; then
        say "running in the background, process $pid; log: $log_file"
    else
        say "not running in the background"
        return 1
    fi
}

# The stand-ins meet the network too: as root they run as nobody.
demo_start()
{
    local state=$data-stand-ins ready
    install -d -m 755 "$state" # the platform reads the seed there
    local command=("$prefix/lib/node/node" "$prefix/share/poppo-builder/demo/demo.mjs" --state "$state")
    if is_root; then
        chown nobody:nogroup "$state"
        command=(setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs "${command[@]}")
    fi
    exec {demo_out}< <(cd / && exec "${command[@]}") # this folder may be closed to nobody
    demo_pid=$!
    IFS= read -rt 60 ready <&"$demo_out" || die "the demo's stand-ins did not start"
    demo_show "$ready"
    settings+=(--github-api-url "$(json_member "$ready" github_url)" --github-git-url "$(json_member "$ready" git_url)"
        --anthropic-base-url "$(json_member "$ready" messages_url)" --seed "$(json_member "$ready" seed)"
        --min-poll-interval 1s --uid-base 1900100000 --port-base 14001)
}

json_member()
{
    "$python" -c 'import json,sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"
}

demo_show()
{
    say "demo: a stand-in of GitHub is at $(json_member "$1" github_url), a stand-in of Claude behind the platform; nothing leaves this machine"
    say "demo: open the link below (the first time: make an account) and watch the project '$(json_member "$1" project)' work on the labelled issues of $(json_member "$1" repository)"
    say "demo: for a project of your own: repository $(json_member "$1" second_repository)"
    say "demo:                            GitHub token $(json_member "$1" token)"
    say "demo:                            Claude API key $(json_member "$1" key)"
}

demo_stop()
{
    kill "$demo_pid" 2>/dev/null || true
}
