#!/bin/sh
# nightly.sh - the long forms of tests that end sooner in every other run: make nightly, in a build folder.
# WEIR_NIGHTLY_PERCENT (100) is how long a part of them is run. What each said, and the end of all that a failed one wrote, goes to
# nightly/<date>.txt there; the status is 0 only if all passed.
set -u
top=$(cd "${srcdir:-.}" && pwd) build=$PWD bad=0 percent=${WEIR_NIGHTLY_PERCENT:-100}
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
        [ "$word" = passed ] || tail -n 40 "$build/nightly/last.log"
    } | tee -a "$result"
}

# part N: as much of it as is asked for.
part() {
    echo $((($1 * percent + 99) / 100))
}

echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $(uname -sm), $(nproc) cores, $(git -C "$top" describe --always --dirty 2>/dev/null)" | tee "$result"
long "$(part 1000) losses of power in each case" env WEIR_CRASH_POINTS="$(part 1000)" CK_TIMEOUT_MULTIPLIER=10 tests/unit/test_power
long "$(part 200) times kill -9" env WEIR_KILLS="$(part 200)" WEIR_BUILD="$build" "$node" --test "$top/tests/e2e/kill.test.mjs"
long "a batch of $((10 * $(part 50))) killed $(part 50) times" env WEIR_BATCH_KILLS="$(part 50)" WEIR_BUILD="$build" "$node" --test "$top/tests/e2e/batch.test.mjs"
long "$(part 2000) calls that fail" env WEIR_FAIL_POINTS="$(part 2000)" WEIR_FAIL_SEED="$(date +%j)" WEIR_BUILD="$build" "$node" --test "$top/tests/e2e/fail.test.mjs"
long "cppcheck, gcc -fanalyzer, clang-tidy" make -s lint
long "ways to break Weir, each noticed" make -s check-the-checks
long "fuzzing, $(part 900) s each target" make -s fuzz FUZZ_SECONDS="$(part 900)"
exit $bad
