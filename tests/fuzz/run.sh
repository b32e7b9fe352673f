#!/bin/sh
# run.sh TARGET… - let libFuzzer look for more, FUZZ_SECONDS each, as many at a time as there are cores or FUZZ_JOBS says: make fuzz.
# FUZZ_SEED other than 0 begins each search the same way every time. An input that takes FUZZ_PATIENCE seconds (2) is a finding.
#
# Builds in fuzz/ of the build folder with clang. New inputs go to fuzz/found/NAME; one that broke a promise stays
# there as crash-…: fix what it found and add it to tests/fuzz/corpus/NAME.
# Parsing is mostly jansson's, so its source is fetched from Debian and compiled in with the same instrumentation;
# where that is impossible the system's library is used, which the fuzzer cannot see into.
set -eu
top=$(cd "${srcdir:-.}" && pwd)
clang=${FUZZ_CLANG:-$(command -v clang-14 || command -v clang)} || { echo "clang is not installed (Debian: clang-14 libclang-rt-14-dev)"; exit 1; }
flags='-g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'
export FUZZ_SECONDS="${FUZZ_SECONDS:-60}" FUZZ_SEED="${FUZZ_SEED:-0}" FUZZ_JOBS="${FUZZ_JOBS:-$(nproc)}" FUZZ_PATIENCE="${FUZZ_PATIENCE:-2}"
mkdir -p fuzz/found
cd fuzz
here=$PWD

# Debian's source of the version that is installed, by a list of sources of our own.
jansson() {
    [ -f jansson/libjansson.a ] && return
    version=$(dpkg-query -W -f '${Version}' libjansson-dev) || return 1
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    rm -rf jansson && mkdir -p jansson/lists/partial && cd jansson
    mirror=$(sed -n 's/^URIs: *//p; s/^deb \([^ ]*\) .*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources \
        /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
    echo "deb-src $mirror $suite main" >source.list
    apt="-o Dir::Etc::sourcelist=$PWD/source.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$PWD/lists
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User= -o Acquire::Retries=1"
    # shellcheck disable=SC2086
    { apt-get $apt update && apt-get $apt source --download-only "jansson=$version"; } >apt.log 2>&1 || return 1
    mkdir source && tar -xzf jansson_*.orig.tar.gz -C source --strip-components=1 && rm -rf lists
    cp source/src/jansson.h /usr/include/jansson_config.h .
    # What its configure would have found.
    for what in HAVE_ENDIAN_H HAVE_FCNTL_H HAVE_LOCALE_H HAVE_STDINT_H HAVE_SYS_TIME_H HAVE_SYS_TYPES_H HAVE_UNISTD_H \
        HAVE_ATOMIC_BUILTINS HAVE_GETPID HAVE_GETTIMEOFDAY HAVE_LOCALECONV HAVE_STRTOLL USE_URANDOM; do
        echo "#define $what 1"
    done >jansson_private_config.h
    # shellcheck disable=SC2086
    "$clang" $flags -DHAVE_CONFIG_H -DINITIAL_HASHTABLE_ORDER=3 -I. -c source/src/*.c >build.log 2>&1 && ar rcs libjansson.a ./*.o
}

if ( jansson ); then
    JANSSON_CFLAGS=-I$here/jansson JANSSON_LIBS=$here/jansson/libjansson.a
    export JANSSON_CFLAGS JANSSON_LIBS
else
    echo "fuzz: jansson's source cannot be had or built: its own code is not instrumented"
fi
[ -f config.status ] || "$top/configure" -q --enable-fuzzer CC="${FUZZ_CCACHE:-} $clang" CFLAGS='-g -O1'
make -s -j"$FUZZ_JOBS" "$@" >make.log 2>&1 || { tail -n 30 make.log; exit 1; }

# A target's whole run goes to its log; what is said here is how it ended.
one='
name=${1##*/fuzz_}
mkdir -p found/$name
if ./$1 -seed=$FUZZ_SEED -max_total_time=$FUZZ_SECONDS -max_len=4096 -timeout=$FUZZ_PATIENCE -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=found/$name/ \
    found/$name "$2/tests/fuzz/corpus/$name" >found/$name.log 2>&1
then echo "fuzz $name: $(sed -n "s/^stat::number_of_executed_units: *//p" found/$name.log) runs, $(sed -n "s/.*DONE *cov: \([0-9]*\).*/\1/p" found/$name.log) branches, nothing found"
else echo "fuzz $name: FOUND something"; tail -n 40 found/$name.log; exit 1; fi'
printf '%s\n' "$@" | xargs -P "$FUZZ_JOBS" -I '{}' sh -c "$one" sh '{}' "$top"
