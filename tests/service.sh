#!/bin/sh
# service.sh - systemd finds no mistake in the units, and not more than 1.5 of exposure in the service.
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed"; exit 77; }
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cp "${srcdir:-.}/systemd/weir.socket" "$dir"
# The program need not be installed for this: the one that was built is there.
sed "/^Exec/s|[^ =+]*/weir |$PWD/weir |" systemd/weir.service >"$dir/weir.service"
grep -q "^ExecStart=$PWD/weir serve" "$dir/weir.service" || { echo "ExecStart was not found"; exit 1; }
said=$(systemd-analyze verify --man=no "$dir/weir.service" "$dir/weir.socket" 2>&1)
status=$?
printf '%s\n' "$said"
[ "$status" -eq 0 ] || exit 1
! printf '%s\n' "$said" | grep -E "weir\.(service|socket)" || exit 1
systemd-analyze security --no-pager --offline=true --threshold=15 "$dir/weir.service" >"$dir/score" 2>&1
status=$?
tail -n 2 "$dir/score"
exit "$status"
