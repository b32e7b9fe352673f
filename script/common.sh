# common.sh - what script/server and script/test share: Debian packages, npm packages, the build.
#
# shellcheck shell=bash disable=SC2034
# Sourced by bash with `set -euo pipefail`. Each step does nothing and says nothing when it has nothing to
# do; what it runs writes to a log that is shown only when it fails.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# quietly LOG COMMAND…: its output goes to LOG, whose end is shown if it fails.
quietly() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 40 "$log" >&2
    die "Failed: $* (the whole output is in $log)"
}

# install_packages PACKAGE[/COMMAND]…: those that are missing, with apt-get. With a command named, it is the
# command that counts, wherever it came from.
install_packages() {
    local missing=() installed p
    installed=$'\n'$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^ii *//p')$'\n'
    for p in "$@"; do
        case $p in
        */*) command -v "${p#*/}" >/dev/null || [ -x "/usr/sbin/${p#*/}" ] ;;
        *) [[ $installed == *$'\n'$p$'\n'* ]] ;;
        esac || missing+=("${p%%/*}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" = 0 ] || die "These Debian packages are missing. Install them as root and start again:
    apt-get install --no-install-recommends ${missing[*]}"
    say "Installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log=$top/build/packages.log
    quietly "$log" without_services apt_install "${missing[@]}"
}

apt_install() {
    apt-get install -y --no-install-recommends "$@" && return
    apt-get update && apt-get install -y --no-install-recommends "$@"
}

# Run a command while Debian starts no service of a package just installed: Weir brings nginx up itself.
without_services() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@" || status=$?
    rm -f "$policy"
    return $status
}

# npm_packages KIND OPTION…: node_modules as package-lock.json says; KIND names what was asked for.
# "all" contains "server". A release carries what the server needs.
npm_packages() {
    local kind=$1 stamp
    shift
    [ "$kind" = server ] && [ -f "$top/static/vendor/VENDOR.json" ] && return
    for stamp in "$top/node_modules/.weir-$kind" "$top/node_modules/.weir-all"; do
        cmp -s "$top/package-lock.json" "$stamp" && return
    done
    install_packages "${npm_itself[@]}"
    say "Fetching npm packages ($kind)"
    ( cd "$top" && quietly "$top/build/npm.log" npm ci --ignore-scripts --no-audit --no-fund "$@" )
    cp "$top/package-lock.json" "$top/node_modules/.weir-$kind"
}

npm_itself=(nodejs/node npm/npm)
build_packages=(gcc/gcc libc6-dev make/make autoconf/autoconf automake/automake pkg-config/pkg-config ca-certificates
    libfcgi-dev libsqlite3-dev libjansson-dev libcurl4-openssl-dev libpcre2-dev libsodium-dev)

# build_in FOLDER CONFIGURE-OPTION…: configure there once, then make.
build_in() {
    local dir=$1
    shift
    if [ ! -x "$top/configure" ]; then
        say "Preparing the build"
        quietly "$dir/autogen.log" "$top/autogen.sh"
    fi
    mkdir -p "$dir"
    if [ ! -f "$dir/config.status" ]; then
        say "Configuring ${dir#"$top"/}"
        ( cd "$dir" && quietly "$dir/configure.log" "$top/configure" -q "$@" )
    fi
    if ! make -q -C "$dir" all >/dev/null 2>&1; then
        say "Building ${dir#"$top"/}"
        quietly "$dir/make.log" make -s -C "$dir" -j"$(nproc)"
    fi
}
