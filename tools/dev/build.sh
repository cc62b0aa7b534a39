# Sourced by ./dev: native programs, web UI, and the staged folder that programs run from.
# shellcheck shell=bash disable=SC2154

# build_native NAME [meson options]: configures once, then lets ninja decide what is stale.
build_native()
{
    local dir=$work/build/$1
    shift
    [ -f "$dir/build.ninja" ] || run_quietly "configuring" meson setup "$dir" "$here" "$@"
    ninja -C "$dir" 2>&1 | progress "$work/last-command.log" || { tail -40 "$work/last-command.log" >&2; die "building failed: ninja -C $dir"; }
}

run_quietly()
{
    local what=$1 log=$work/last-command.log
    shift
    "$@" >"$log" 2>&1 || { tail -40 "$log" >&2; die "$what failed: $*"; }
}

build_web()
{
    local web=$here/platform/web hash
    hash=$(hash_of "$web" "$here/platform/server/api/openapi.yaml")
    stamp_is web "$hash" && [ -f "$web/dist/index.html" ] && return
    say "building the web UI"
    build_web_modules
    (cd "$web" && run_quietly "building the web UI" npm run build)
    stamp_set web "$hash"
}

build_web_modules()
{
    local web=$here/platform/web lock
    lock=$(sha256sum "$web/package-lock.json")
    stamp_is web-modules "$lock" && [ -d "$web/node_modules" ] && return
    (cd "$web" && run_quietly "installing the web UI's packages" npm ci)
    stamp_set web-modules "$lock"
}

build_rig_modules()
{
    local rig=$here/tests/rig lock
    lock=$(sha256sum "$rig/package-lock.json")
    stamp_is rig-modules "$lock" && [ -d "$rig/node_modules" ] && return
    (cd "$rig" && run_quietly "installing the stand-ins' packages" npm ci)
    stamp_set rig-modules "$lock"
}

build_programs()
{
    build_native release --buildtype=release -Dtests=disabled
}

build_all()
{
    say "building the programs"
    build_programs
    build_web
    setup_claude
}

# Puts everything an installation needs into PREFIX, which every user may read.
build_stage()
{
    local prefix=$1 claude language man
    mkdir -p "$prefix"/{bin,lib/claude,share/poppo-builder}
    chmod 755 "$prefix" "$prefix"/{bin,lib,lib/claude,share,share/poppo-builder}
    for program in "$work"/build/release/platform/{server/poppo-platform,agent/poppo-*,cli/poppo}; do
        [ -x "$program" ] && [ -f "$program" ] && stage_file "$program" "$prefix/bin/$(basename "$program")"
    done
    rm -rf "$prefix/share/poppo-builder/web.new"
    cp -r "$here/platform/web/dist" "$prefix/share/poppo-builder/web.new"
    chmod -R a+rX "$prefix/share/poppo-builder/web.new"
    rm -rf "$prefix/share/poppo-builder/web"
    mv "$prefix/share/poppo-builder/web.new" "$prefix/share/poppo-builder/web"
    for language in C ja; do
        man=$prefix/share/man/${language#C}/man1
        mkdir -p "$man"
        LC_ALL=$language "$prefix/bin/poppo" man >"$man/poppo.1"
    done
    mkdir -p "$prefix/share/man/man8"
    "$prefix/bin/poppo-platform" man >"$prefix/share/man/man8/poppo-platform.8"
    claude=$work/claude/node_modules/claude-$(node_arch)/claude
    stage_file "$claude" "$prefix/lib/claude/claude"
}

# Copies only what changed, by rename, so that running programs keep theirs.
stage_file()
{
    cmp -s "$1" "$2" && return
    install -m 755 "$1" "$2.new"
    mv "$2.new" "$2"
}

build_stage_demo()
{
    local prefix=$1 demo=$1/share/poppo-builder/demo
    mkdir -p "$prefix/lib/node"
    stage_file "$work/node/node_modules/node-linux-$(node_arch)/bin/node" "$prefix/lib/node/node"
    rm -rf "$demo.new"
    cp -r "$here/tests/rig" "$demo.new"
    chmod -R a+rX "$demo.new" "$prefix/lib/node"
    rm -rf "$demo"
    mv "$demo.new" "$demo"
}
