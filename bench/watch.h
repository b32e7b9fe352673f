/* watch.h - what processes cost between two moments: CPU in nanoseconds, memory in KiB. */
#ifndef WEIR_BENCH_WATCH_H
#define WEIR_BENCH_WATCH_H

#include <stdbool.h>

#include "base/sb.h"

/* Add processes from "name=pid,pid,…". False if it does not parse. */
bool watch_add(const char *spec);
void watch_begin(void);
void watch_end(void);
/* Append "watch":{"name":{"cpu_ns":N,"rss_kib":N,"rss_begin_kib":N},…}. */
void watch_json(struct sb *out);

#endif
