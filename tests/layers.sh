#!/bin/sh
# layers.sh - may this file include that one? docs/development.md: base < rules < store < peer < flow < web.
#
# Also: libfcgi only in web/fcgi.c, SQLite only in store/, the system's clock only in base/clock.c, libcurl
# only where providers are called. Prints each breach as file:line: what is wrong.
cd "${srcdir:-.}" || exit 99
awk '
BEGIN {
    split("base rules store peer flow web", order, " ")
    for (i in order) level[order[i]] = i
}
function wrong(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
FNR == 1 { split(FILENAME, part, "/"); own = part[2] }
/^#include "/ {
    split($2, path, "\"")
    split(path[2], to, "/")
    if (!(to[1] in level)) wrong("includes " path[2] ", which is in no layer")
    else if (level[to[1]] > level[own]) wrong("includes " path[2] " of the higher layer " to[1])
}
/^#include <fcgi/ && FILENAME != "cgi/web/fcgi.c" { wrong("only web/fcgi.c knows libfcgi") }
/^#include <sqlite3/ && own != "store" { wrong("only store/ knows SQLite") }
/^#include <curl/ && own != "flow" && own != "peer" { wrong("only peer/ and flow/ know libcurl") }
/[^_a-z](clock_gettime|gettimeofday|time) *\(/ && !/^ *(\/?\*|\/\/)/ && FILENAME != "cgi/base/clock.c" && !/"/ {
    wrong("only base/clock.c asks the system for the time")
}
own != "store" && /"(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|BEGIN|COMMIT|PRAGMA) / { wrong("SQL belongs in store/") }
# tokens*.c alone maps its rank files and keeps a scratch area per thread
own == "rules" && part[3] !~ /^tokens/ && /^#include <(pthread|sys\/socket|sys\/epoll|stdatomic|unistd|fcntl)/ { wrong("rules/ is pure: no thread, no I/O") }
END { exit bad }
' cgi/*/*.c cgi/*/*.h
