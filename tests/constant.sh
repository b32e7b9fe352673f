#!/bin/sh
# constant.sh - a wrong credential takes the same work wherever it is wrong, and whether there is such a user or not: by
# instructions, which are the same in each run, and not by time. Needs valgrind.
set -u
program=tests/constant/constant bad=0
command -v valgrind >/dev/null && [ -x "$program" ] || exit 77

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=measured "$program" "$1" 2>&1 | sed -n 's/.*Collected : *//p'
}

# same A B THOUSANDTHS
same() {
    a=$(count "$1") b=$(count "$2")
    difference=$((a > b ? a - b : b - a))
    if [ "${a:-0}" -gt 100 ] && [ $((difference * 1000)) -le $((a * $3)) ]; then
        echo "$1 and $2: $a and $b instructions"
    else
        echo "FAILED: $1 takes $a instructions, $2 $b"
        bad=1
    fi
}

same csrf-first csrf-last 0
same token-known token-unknown 10
same password-known password-unknown 1
exit $bad
