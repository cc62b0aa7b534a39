# Sourced by ./dev: the benchmarks. They run from a place that every user may read, as the server's user does.
# shellcheck shell=bash disable=SC2154

bench_main()
{
    local place=$work/bench
    is_root && place=/var/tmp/poppo-bench # the checkout may be in a folder of root's alone
    mkdir -p "$work/logs" "$place"/{prefix,peers,programs}
    chmod 755 "$place"
    setup_build
    setup_packages "$here/tools/packages/bench.txt"
    build_all
    build_stage "$place/prefix"
    bench_programs "$place/programs"
    bench_peers "$place"
    (cd "$here" && exec "$python" -m bench --place "$place" "$@")
}

# The clients that have to be faster than what they measure.
bench_programs()
{
    local dir=$work/build/bench program
    [ -f "$dir/build.ninja" ] || run_quietly "configuring" meson setup "$dir" "$here" --buildtype=release -Dtests=disabled -Dbench=true
    run_quietly "building" ninja -C "$dir" bench/subscribers bench/log-append
    for program in subscribers log-append; do
        stage_file "$dir/bench/$program" "$1/$program"
    done
}

bench_peers()
{
    npm_folder "$here/bench/peers" "$1/peers" npm
    cp "$here"/bench/peers/*.mjs "$1/peers/"
    chmod -R a+rX "$1/peers"
    stage_file "$work/node/node_modules/node-linux-$(node_arch)/bin/node" "$1/node"
}
