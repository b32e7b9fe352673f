#!/bin/sh
# lints.sh - small things that reviews should not have to find. Prints each as file:line: text.
cd "${srcdir:-.}" || exit 99
bad=0

# refuse WHAT PATTERN FILE…: no line of these files may match.
refuse() {
    what=$1 pattern=$2
    shift 2
    if grep -nHE -- "$pattern" "$@" /dev/null; then
        echo "  ^ $what"
        bad=1
    fi
}

sources=$(find cgi tests tools bench static templates schema script -type f \
    \( -name '*.[ch]' -o -name '*.sql' -o -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.mustache' -o -name '*.sh' \) \
    ! -path '*/vendor/*' ! -path 'tests/lints.sh' | sort)
code=$(find cgi tests tools bench -name '*.[ch]' | sort)
shipped=$(find cgi tools bench tests/upstream -name '*.[ch]' | sort)

# shellcheck disable=SC2046,SC2086
{
    refuse "finish it or leave it out" '(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)' $sources
    refuse "unbounded or unchecked: use struct sb, snprintf, strtoll or cfg_set" \
        '(^|[^_a-zA-Z])(sprintf|vsprintf|strcpy|strcat|gets|atoi|atol|atoll|strtok|tmpnam) *\(' $shipped
    refuse "result in a static buffer: use the _r form" \
        '(^|[^_a-zA-Z])(localtime|gmtime|asctime|ctime|strerror_l|inet_ntoa|readdir64|ttyname) *\(' $shipped
    refuse "a path of one machine" '"/(home|root|work|Users)/' $sources
    refuse "trailing blanks" '[ 	]+$' $sources
    refuse "a tab where the code is indented by blanks" '^	' $code
    refuse "no inline script or style: the content policy forbids it" '( style=| on[a-z]+=|<style|javascript:)' \
        $(find templates -name '*.mustache')
    refuse "text becomes nodes, never markup" '(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\()' \
        $(find static/js -name '*.js' 2>/dev/null)
}

for f in $code; do
    head -n 1 "$f" | grep -q '^/\* ' || { echo "$f:1: a file begins with what it is for"; bad=1; }
    lines=$(wc -l < "$f")
    [ "$lines" -le 800 ] || { echo "$f:$lines: more than 800 lines; one idea per file"; bad=1; }
done
for f in cgi/*/*.[ch] tests/*.sh tests/*/*.[ch] tests/*/*.mjs bench/*.[ch] tools/*.[ch]; do
    grep -qwF -- "$f" Makefile.am ./*/sources.mk cgi/*/sources.mk tests/*/*.mk debian/sources.mk || { echo "$f:1: no sources.mk names it, so a release would lack it"; bad=1; }
done
for f in cgi/*/*.h; do
    guard=$(sed -n 's/^#ifndef \(WEIR_[A-Z0-9_]*_H\)$/\1/p' "$f" | head -n 1)
    [ -n "$guard" ] && grep -q "^#define $guard$" "$f" || { echo "$f:1: no include guard WEIR_…_H"; bad=1; }
done
sed -n 's/^ *X(\([A-Z]*\), "\([^"]*\)", [A-Z_]*, \([A-Z]*\),.*/\3 \1 \2/p' cgi/web/route.h | grep -v -e '^PAGE' -e ' /$' | sed 's/^[A-Z]* //; s/{session}/{id}/g' |
while read -r method path; do
    grep -qF "\`$method $path\`" docs/api.md || echo "cgi/web/route.h:1: docs/api.md has no \`$method $path\`"
done | grep . && bad=1
exit $bad
