# Sourced by ./dev: the tests, as steps that each say passed or failed. All steps run; the last line counts.
# shellcheck shell=bash disable=SC2154

check_main()
{
    only=
    long=
    for word in "$@"; do
        case $word in
        --all) long=yes ;;
        -*) die "unknown option $word; see ./dev help" ;;
        *) only=$word ;;
        esac
    done
    passed=0
    failed=0
    failures=()
    mkdir -p "$work/logs"
    setup_build
    setup_test_packages
    setup_users
    check_step tree check_tree
    check_step generated check_generated
    check_step format check_format
    check_step unit check_unit
    check_step threads check_threads
    check_step web check_web
    check_step rig check_rig
    check_step system check_system
    check_step journey check_journey
    [ -n "$long" ] && check_step fuzz check_fuzz
    printf '\n'
    [ ${#failures[@]} -gt 0 ] && printf 'failed: %s (output in %s)\n' "${failures[*]}" "$work/logs"
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# Runs one step in a subshell with its output shown and kept; errors end the step, not the run. In the
# background, because bash ignores `set -e` inside a condition.
check_step()
{
    local name=$1 started=$SECONDS
    shift
    [ -n "$only" ] && [ "$only" != "$name" ] && return
    say "$name"
    (set -euo pipefail; "$@") > >(tee "$work/logs/$name.log") 2>&1 &
    if wait $!; then
        passed=$((passed + 1))
        say "$name: passed in $((SECONDS - started)) s"
    else
        failed=$((failed + 1))
        failures+=("$name")
        say "$name: FAILED after $((SECONDS - started)) s"
    fi
}

check_tree()
{
    "$python" "$here/tools/check_tree.py"
    "$python" -m pytest -q "$here/tests/tools"
}

check_generated()
{
    "$python" "$here/tools/gen_routes.py" --check
    cd "$here/platform/web"
    (cd tools/openapi && npm ci >/dev/null)
    npm run codegen:check
}

check_format()
{
    command -v clang-format-14 >/dev/null || { echo "no clang-format-14 in this release: format not checked here"; return; }
    "$here/tools/format" --check
}

check_unit()
{
    build_native check -Dtests=enabled -Dbuildtype=debug -Db_sanitize=address,undefined --werror
    meson test -C "$work/build/check" --print-errorlogs --no-rebuild
}

# What several threads share, under ThreadSanitizer, which cannot be had together with AddressSanitizer.
check_threads()
{
    local dir=$work/build/threads still=()
    # gcc 12's ThreadSanitizer finds no room for its memory where the kernel scatters everything.
    setarch -R true 2>/dev/null && still=(setarch -R)
    [ -f "$dir/build.ninja" ] || run_quietly "configuring" meson setup "$dir" "$here" -Dtests=enabled \
        -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false # warnings are judged by the unit step
    "${still[@]}" meson test -C "$dir" --suite threads --print-errorlogs # builds what these need, and no more
}

check_web()
{
    build_web_modules
    cd "$here/platform/web"
    npm run check
    npm run test
    build_web
    npm run budget
}

check_rig()
{
    build_rig_modules
    cd "$here/tests/rig"
    npm test
}

# A fresh installation in a folder that every user may enter, used by the black-box tests.
check_stage()
{
    build_all
    build_rig_modules
    npm_folder "$here/tools/claude/previous" "$work/claude-previous" npm
    stage=$(mktemp -d /tmp/poppo-test.XXXXXX)
    chmod 755 "$stage"
    trap 'rm -rf "$stage"' EXIT
    build_stage "$stage"
    mkdir -p "$stage/lib/claude-previous"
    stage_file "$work/claude-previous/node_modules/claude-$(node_arch)/claude" "$stage/lib/claude-previous/claude"
    export POPPO_TEST_PREFIX=$stage
}

check_system()
{
    check_stage
    setup_promtool
    [ ! -x "$work/promtool/promtool" ] || export POPPO_PROMTOOL=$work/promtool/promtool
    local marks=(-m "not long")
    [ -n "$long" ] && marks=()
    # They wait more than they work: three files at a time.
    "$python" -m pytest -q -n 3 --dist loadfile "${marks[@]}" "$here/tests/system"
}

check_journey()
{
    check_stage
    cd "$here/platform/web"
    npm run e2e
}

check_fuzz()
{
    CC=clang-14 build_native fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
    for target in "$work"/build/fuzz/tests/fuzz/fuzz_*; do
        if [ ! -x "$target" ] || [ ! -f "$target" ]; then continue; fi
        say "$(basename "$target")"
        "$target" -max_total_time=60 -verbosity=0 "$here/tests/fuzz/corpus/$(basename "$target")"
    done
}
