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

# When a process began, in the kernel's clock: with it, its number is not taken for a later one's. Nothing when it
# has ended, even if nobody has taken note of its end yet.
began_at()
{
    local line
    { line=$(<"/proc/$1/stat"); } 2>/dev/null || return
    # shellcheck disable=SC2086
    set -- ${line##*) }
    [ "$1" = Z ] || echo "${20}"
}

# The process of `up`, if it still runs.
running_process()
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
    if [ -n "$(running_process)" ]; then
        say "already running; stop it with: ./dev down${demo:+ --demo}"
        show_status
        return
    fi
    if [ -f "$log_file" ]; then
        mv -f "$log_file" "$log_file.old"
    fi
    install -m 600 /dev/null "$log_file" # the setup link is in it
    if [ -n "$detach" ]; then
        run_detached
    else
        echo "$$ $(began_at "$$")" >"$pid_file"
        run_foreground
    fi
}

# The platform's words go to the log file; the terminal gets the last word of the start, and errors.
run_foreground()
{
    local status=0 announcer
    platform_start
    echo "$$ $(began_at "$$")" >"$pid_file"
    (if announce "$platform" Ctrl-C; then follow_errors "$platform"; fi) &
    announcer=$!
    platform_wait || status=$?
    wait "$announcer" || true
    [ "$status" -ne 0 ] || say "stopped; work that runs goes on and is picked up again at the next start"
    return "$status"
}

run_detached()
{
    local pid
    (
        trap '' HUP
        platform_start
        platform_wait
    ) >>"$log_file" 2>&1 </dev/null &
    pid=$!
    echo "$pid $(began_at "$pid")" >"$pid_file"
    announce "$pid" "./dev down${demo:+ --demo}"
}

# It does not outlive this shell, whatever ends that.
platform_start()
{
    if [ -n "$demo" ]; then
        demo_start
        trap demo_stop EXIT
    fi
    platform=
    trap 'kill -TERM $platform 2>/dev/null || true' INT TERM
    setpriv --pdeathsig TERM "$prefix/bin/poppo-platform" "${settings[@]}" >>"$log_file" 2>&1 </dev/null &
    platform=$!
}

platform_wait()
{
    local status=0
    wait "$platform" || status=$?
    while kill -0 "$platform" 2>/dev/null; do # a signal ended the wait, the platform is still leaving
        status=0
        wait "$platform" || status=$?
    done
    return "$status"
}

# Waits until the start has settled: the platform serves and its node has come, or is late.
await_start()
{
    local pid=$1 line deadline=$((SECONDS + 60))
    while [ "$SECONDS" -lt "$deadline" ] && [ -n "$(began_at "$pid")" ]; do
        IFS= read -rt 1 line || continue
        case $line in
        *"connected to the platform as node"*) break ;;
        *"PoppoBuilder Platform "*" is ready"*) deadline=$((SECONDS + 15)) ;;
        esac
    done < <(exec tail -n +1 -f "$log_file" 2>/dev/null)
    kill "$!" 2>/dev/null || true
    [ -n "$(began_at "$pid")" ] && [ -n "$(log_box)" ]
}

# The platform's box with the address, or with the link of the first setup.
log_box()
{
    sed -n '/^-\{72\}$/,/^-\{72\}$/p' "$log_file"
}

# announce PROCESS HOW: the box comes last, so that it is what stays on the screen.
announce()
{
    if ! await_start "$1"; then
        cat "$log_file" >&2
        printf 'dev: it did not start; the output above says why\n' >&2
        return 1
    fi
    say "running; its log is $log_file; stop it with: $2"
    grep -a '^==> demo: ' "$log_file" >&2 || true
    log_box >&2
}

# What somebody must act on is not left to a file alone.
follow_errors()
{
    tail -n +1 -f --pid="$1" "$log_file" 2>/dev/null | grep -a --line-buffered -E 'level("?[=:]"?)error' >&2
}

run_down()
{
    demo=
    [ "${1:-}" = --demo ] && demo=-demo
    run_places
    local pid
    pid=$(running_process)
    if [ -z "$pid" ]; then
        say "not running"
        return
    fi
    kill -TERM "$pid"
    while [ -n "$(began_at "$pid")" ]; do
        read -rt 0.1 <> <(:) || true
    done
    rm -f "$pid_file"
    say "stopped"
}

run_status()
{
    demo=
    [ "${1:-}" = --demo ] && demo=-demo
    run_places
    show_status
}

show_status()
{
    local pid address
    pid=$(running_process)
    if [ -z "$pid" ]; then
        say "not running; start it with: ./dev up${demo:+ --demo}"
        return 1
    fi
    address=$(said_address "$log_file")
    printf 'platform  %s (process %s)\n' "$(platform_state "$address")" "$pid"
    printf 'address   %s\n' "${address:-not yet}"
    printf 'node      %s\n' "$(node_state)"
    printf 'log       %s\n' "$log_file"
    grep -a '^==> demo: ' "$log_file" || true
    if [ "$(ask "$address/api/setup" required)" = True ]; then
        log_box
    fi
}

# Where the platform says it listens: in its own words, not in those of others that it logs.
said_address()
{
    sed -n -e 's/^time=[^ ]* level=info program=poppo-platform component=platform version=.* listening on \(http[^ "]*\)$/\1/p' \
        -e 's/^{.*"program":"poppo-platform","component":"platform","message":"version=.* listening on \(http[^ "]*\)".*/\1/p' \
        "$1" | tail -n 1
}

# One member of what an address answers; nothing when nobody does.
ask()
{
    "$python" - "$1" "$2" <<'PY' 2>/dev/null || true
import json, ssl, sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=5, context=ssl._create_unverified_context())
except urllib.error.HTTPError as refused:
    answer = refused
print("".join(letter for letter in str(json.load(answer)[sys.argv[2]]) if letter.isprintable()))
PY
}

platform_state()
{
    case $(ask "$1/readyz" status) in
    ok) echo "ready, version $(ask "$1/readyz" version)" ;;
    503) echo "not ready: $(ask "$1/readyz" detail)" ;;
    *) echo "does not answer" ;;
    esac
}

# The node's own last word about its link.
node_state()
{
    local last
    last=$(grep -a 'connected to the platform' "$log_file" | tail -n 1) || true
    case $last in
    *"not connected to the platform"*) echo "${last##*supervisor }" ;;
    *"connected to the platform as node"*) echo "connected" ;;
    *) echo "has not connected" ;;
    esac
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
    demo_show "$ready" 2>>"$log_file"
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
    say "demo: GitHub's stand-in: $(json_member "$1" github_url)/$(json_member "$1" repository) (label issues and answer comments there); Claude's is behind the platform; nothing leaves this machine"
    say "demo: open the link below (the first time: make an account) and watch the project '$(json_member "$1" project)' work on the labelled issues"
    say "demo: for a project of your own: repository $(json_member "$1" second_repository)"
    say "demo:                            GitHub token $(json_member "$1" token)"
    say "demo:                            Claude API key $(json_member "$1" key)"
}

demo_stop()
{
    kill "$demo_pid" 2>/dev/null || true
}
