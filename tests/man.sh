#!/bin/sh
# man.sh - the manual pages have no mistake in their markup, and weir(1) has every command of the program.
docs=${srcdir:-.}/docs
bad=0
for command in $(./weir --help | sed -n 's/^  weir \([a-z]*\).*/\1/p'); do
    grep -q "^\.It Cm $command\( \|$\)" "$docs/weir.1" || { echo "docs/weir.1 does not describe 'weir $command'"; bad=1; }
    grep -A1 "^\.Nm$" "$docs/weir.1" | grep -q "^\.Cm $command$" || { echo "docs/weir.1 has no 'weir $command' in its synopsis"; bad=1; }
done
command -v mandoc >/dev/null || { echo "mandoc is not installed"; [ "$bad" -eq 0 ] && exit 77; exit 1; }
# A mandoc that knows no Debian manuals cannot find those of others.
said=$(mandoc -T lint "$docs/weir.1" "$docs/weir.json.5" 2>&1 | grep -v -e "referenced manual not found" -e "outdated mandoc.db")
[ -z "$said" ] || { printf '%s\n' "$said"; bad=1; }
exit $bad
