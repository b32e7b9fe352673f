#!/bin/sh
# nightly.sh - the long forms of tests that end sooner in every other run: make nightly, in a build folder.
# What each said goes to nightly/<date>.txt there; the status is 0 only if all passed.
set -u
top=$(cd "${srcdir:-.}" && pwd) build=$PWD bad=0
mkdir -p nightly
result=$build/nightly/$(date -u +%Y-%m-%dT%H%M%SZ).txt
node=node
for n in "$top"/node_modules/node-linux-*/bin/node; do
    [ -x "$n" ] && node=$n
done

# long NAME COMMAND…
long() {
    name=$1 from=$(date +%s)
    shift
    if "$@" >"$build/nightly/last.log" 2>&1; then word=passed; else word=FAILED bad=1; fi
    {
        echo "$word: $name, $(($(date +%s) - from)) s"
        grep -E 'losses of power|^(noticed|FAILED|fuzz)|points, |[0-9]+ kills,|^not ok|^[0-9]+%:|:[EF]:' "$build/nightly/last.log"
    } | tee -a "$result"
}

echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $(uname -sm), $(nproc) cores, $(git -C "$top" describe --always --dirty 2>/dev/null)" | tee "$result"
long "1,000 losses of power in each case" env WEIR_CRASH_POINTS=1000 CK_TIMEOUT_MULTIPLIER=10 tests/unit/test_power
long "200 times kill -9" env WEIR_KILLS=200 WEIR_BUILD="$build" "$node" --test "$top/tests/e2e/kill.test.mjs"
long "2,000 calls that fail" env WEIR_FAIL_POINTS=2000 WEIR_FAIL_SEED="$(date +%j)" WEIR_BUILD="$build" "$node" --test "$top/tests/e2e/fail.test.mjs"
long "cppcheck, gcc -fanalyzer, clang-tidy" make -s lint
long "ways to break Weir, each noticed" make -s check-the-checks
long "fuzzing, 15 minutes each target" make -s fuzz FUZZ_SECONDS=900
exit $bad
