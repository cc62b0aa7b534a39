# Sourced by ./dev: what a bare Debian lacks. Each step is skipped when its result is there.
# shellcheck shell=bash disable=SC2154

say()
{
    if [ -t 2 ]; then
        printf '\033[1m==>\033[0m %s\n' "$*" >&2
    else
        printf '==> %s\n' "$*" >&2
    fi
}

die()
{
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

is_root()
{
    [ "$(id -u)" -eq 0 ]
}

can_be_root()
{
    is_root || command -v sudo >/dev/null
}

as_root()
{
    if is_root; then
        "$@"
    else
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    fi
}

# A stamp remembers that a step was done with exactly these inputs.
stamp_is()
{
    [ -f "$work/stamps/$1" ] && [ "$(cat "$work/stamps/$1")" = "$2" ]
}

stamp_set()
{
    mkdir -p "$work/stamps"
    printf '%s' "$2" >"$work/stamps/$1"
}

hash_of()
{
    find "$@" -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -print0 | sort -z |
        xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

package_installed()
{
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Is the need met already without a package of that name (a newer Node.js put there by hand, say)?
need_is_met()
{
    case $1 in
    nodejs) command -v node >/dev/null ;;
    npm) command -v npm >/dev/null ;;
    *) return 1 ;;
    esac
}

# Prints the packages of a list that are missing; of "a|b" the first one this release has, "a?" only if it has it.
packages_missing()
{
    local line choice optional
    grep -hv '^#' "$@" | while read -r line; do
        need_is_met "$line" && continue
        optional=
        [ "$line" != "${line%\?}" ] && optional=yes
        line=${line%\?}
        choice=
        for name in ${line//|/ }; do
            package_installed "$name" && continue 2
        done
        for name in ${line//|/ }; do
            if [ -n "$(apt-cache madison "$name" 2>/dev/null)" ]; then
                choice=$name
                break
            fi
        done
        [ -n "$choice" ] || [ -n "$optional" ] || choice=${line%%|*}
        [ -n "$choice" ] && echo "$choice"
    done
    return 0
}

packages_command()
{
    # shellcheck disable=SC2086
    echo apt-get install -y --no-install-recommends $1
}

# Which of "a|b" a release has, apt knows only with its lists.
packages_by_hand()
{
    [ -n "$(apt-cache madison gcc 2>/dev/null)" ] ||
        die "there is no sudo here, and apt has no package lists yet; as root, run: apt-get update, then start this again, which will say what to install"
    die "there is no sudo here; as root, run this, then start again: apt-get update && $(packages_command "$1")"
}

# shellcheck disable=SC2086 # lists of words
setup_packages()
{
    local missing
    command -v dpkg-query >/dev/null || die "only Debian 12 and 13 are supported by this script; see docs/operations.md for others"
    missing=$(packages_missing "$@")
    [ -z "$missing" ] && return
    say "Debian packages are missing:" $missing
    can_be_root || packages_by_hand "$missing"
    packages_update
    missing=$(packages_missing "$@") # apt knows more now
    packages_install $missing
}

packages_update()
{
    say "asking Debian's servers for their package lists"
    as_root apt-get update -qq || die "apt-get update failed; as root, run: apt-get update, then start this again"
}

packages_install()
{
    say "installing $# packages and what they need; on a fresh machine this takes some minutes"
    as_root apt-get install -y -qq --no-install-recommends -o APT::Status-Fd=1 "$@" 2>&1 | progress "$work/apt.log" ||
        { tail -20 "$work/apt.log" >&2; die "apt-get could not install them (the whole output is in $work/apt.log); as root, run: $(packages_command "$*")"; }
}

# Keeps what a command writes, and says each fifth of the way: of apt's download and installation, of a long build.
progress()
{
    local log=$1 line what part said=
    while IFS= read -r line; do
        if [[ $line =~ ^(dl|pm)status:.*:([0-9]+)(\.[0-9]+)?: ]]; then
            [ "${BASH_REMATCH[1]}" = dl ] && what=downloaded || what=installed
            part=${BASH_REMATCH[2]}
        else
            printf '%s\n' "$line"
            if ! [[ $line =~ ^\[([0-9]+)/([0-9]{3,})\] ]]; then continue; fi
            what=built part=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
        fi
        part=$((part / 20 * 20))
        [ "$part" -eq 0 ] || [ "$part $what" = "$said" ] || say "  $part % $what"
        said="$part $what"
    done >"$log"
}

# PostgreSQL's package would start a server of its own, on this machine, at every boot. The tests start theirs.
setup_test_packages()
{
    local list=$here/tools/packages/test.txt conf=/etc/postgresql-common/createcluster.conf status=0
    if package_installed postgresql || ! can_be_root; then
        setup_packages "$list"
        return
    fi
    packages_update
    package_installed postgresql-common || packages_install postgresql-common
    as_root pg_conftool "$conf" set create_main_cluster off
    (setup_packages "$list") || status=$?
    as_root pg_conftool "$conf" remove create_main_cluster
    return "$status"
}

node_arch()
{
    case $(uname -m) in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) die "no pinned Node.js for $(uname -m); x86_64 and aarch64 have one" ;;
    esac
}

# npm ci with the machine's own npm and a folder of ours: copies the lock file, installs beside it.
npm_folder()
{
    local from=$1 to=$2 npm=$3 hash
    hash=$(cat "$from/package.json" "$from/package-lock.json" | sha256sum)
    stamp_is "npm-$(basename "$to")" "$hash" && [ -d "$to/node_modules" ] && return
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$to/"
    (cd "$to" && $npm ci --omit=dev >npm.log 2>&1) ||
        { tail -20 "$to/npm.log" >&2; die "npm could not install $from; the whole output is in $to/npm.log"; }
    stamp_set "npm-$(basename "$to")" "$hash"
}

# Judges what /metrics says. In Debian 12 it comes with prometheus, whose service nobody here wants: only this one file is taken.
setup_promtool()
{
    local folder=$work/promtool
    [ -x "$folder/promtool" ] && return
    say "fetching promtool"
    rm -rf "$folder" "$folder.new" && mkdir -p "$folder.new"
    if ! promtool_download "$folder.new" && can_be_root; then
        as_root apt-get update -qq || true # a machine may have no lists of packages yet
        promtool_download "$folder.new" || true
    fi
    set -- "$folder.new"/*.deb
    [ -f "$1" ] || { say "promtool cannot be had, its test is left out:" "$(tail -1 "$work/apt.log")"; return; }
    dpkg-deb --fsys-tarfile "$1" | tar -x -C "$folder.new" ./usr/bin/promtool
    mkdir "$folder"
    mv "$folder.new/usr/bin/promtool" "$folder/promtool"
    rm -rf "$folder.new"
}

promtool_download()
{
    local package=prometheus
    apt-cache show promtool >/dev/null 2>&1 && package=promtool
    (cd "$1" && apt-get download -qq $package) >"$work/apt.log" 2>&1
}

setup_node()
{
    [ -d "$work/node/node_modules" ] || say "installing the pinned Node.js"
    npm_folder "$here/tools/node" "$work/node" npm
    export PATH="$work/node/bin:$PATH"
    if [ ! -x "$work/node/bin/node" ]; then
        mkdir -p "$work/node/bin"
        ln -sf "../node_modules/node-linux-$(node_arch)/bin/node" "$work/node/bin/node"
        ln -sf ../node_modules/npm/bin/npm-cli.js "$work/node/bin/npm"
        ln -sf ../node_modules/npm/bin/npx-cli.js "$work/node/bin/npx"
    fi
}

setup_claude()
{
    [ -d "$work/claude/node_modules" ] || say "installing the pinned Claude Code CLI"
    npm_folder "$here/tools/claude" "$work/claude" npm
}

setup_users()
{
    is_root || return 0
    for user in poppo poppo-node; do
        getent passwd "$user" >/dev/null ||
            useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
    done
}

setup_build()
{
    mkdir -p "$work"
    setup_packages "$here/tools/packages/build.txt"
    setup_node
}
