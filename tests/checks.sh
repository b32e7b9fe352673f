#!/bin/sh
# checks.sh - tests of the tests: make check-the-checks, in a build folder.
#
# Builds Weir in faults/ so that it can be broken on purpose (cgi/base/broken.h), and runs for each way to break it the one
# test that must notice: it has to pass on a Weir that is whole, and to fail on the broken one.
set -u
top=$(cd "${srcdir:-.}" && pwd) bad=0
mkdir -p faults && cd faults || exit 1
[ -f config.status ] || "$top/configure" -q --enable-faults CC="${FAULTS_CC:-gcc}" || exit 1
make -s -j"$(nproc)" >make.log 2>&1 && make -s -j"$(nproc)" tests/unit/test_power tests/fuzz/fuzz_limits >>make.log 2>&1 || { tail -n 30 make.log; exit 1; }
node=node
for n in "$top"/node_modules/node-linux-*/bin/node; do
    [ -x "$n" ] && node=$n
done
PATH=$PATH:/usr/sbin
export WEIR_BUILD="$PWD" srcdir="$top"

# noticed NAME COMMAND…: a Weir without this promise makes the command fail.
noticed() {
    name=$1
    shift
    if [ "$*" != "${whole:-}" ]; then
        whole=$*
        "$@" >whole.log 2>&1 || { echo "FAILED: $* fails on a Weir that is whole"; tail -n 20 whole.log; bad=1; }
    fi
    if BROKEN_ON_PURPOSE=$name "$@" >"$name.log" 2>&1; then
        echo "FAILED: $name is not noticed by $*"
        bad=1
    else
        echo "noticed: $name"
    fi
}

noticed no-fsync tests/unit/test_power
noticed no-limits tests/fuzz/fuzz_limits
noticed check-then-add tests/fuzz/fuzz_limits
noticed any-owner "$node" --test "$top/tests/e2e/permissions.test.mjs"
noticed no-terminal-event "$node" --test "$top/tests/e2e/chat.test.mjs"
noticed lost-settlement "$node" --test "$top/tests/e2e/chat.test.mjs"
noticed key-in-log "$node" --test "$top/tests/e2e/secrets.test.mjs"
noticed any-address "$node" --test "$top/tests/e2e/ssrf.test.mjs"
noticed redirects-followed "$node" --test "$top/tests/e2e/upstreams.test.mjs"
noticed any-certificate "$node" --test "$top/tests/e2e/upstreams.test.mjs"
exit $bad
