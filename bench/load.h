/* load.h - what the load generator's cases share: target, options, connections.
 *
 * One thread and one epoll for everything; a case is a function that runs to its
 * end and prints one line of JSON. */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "hist.h"

struct load_options {
    const char *address;
    int port;
    const char *method, *path, *token, *body;
    int64_t connections;      /* requests: at a time; streams: how many */
    int64_t rate;             /* requests a second, 0 = as fast as it goes */
    int64_t ramp;             /* new streams a second */
    int64_t seconds;          /* of measuring */
    int64_t count;            /* leave: how often; commits: how many */
    int64_t judge_port;       /* leave: where the stand-in listens */
    const char *dir;          /* commits: where the database goes */
};

int load_requests(const struct load_options *o);
int load_streams(const struct load_options *o);
int load_leave(const struct load_options *o);
int load_commits(const struct load_options *o);

/* --- load_net.c --- */

/* A socket that connects to the target, non-blocking; -1 with errno. `n` spreads local addresses when ports run short. */
int load_connect(const struct load_options *o, int port, int64_t n);
/* The request's bytes. `keep` false: Connection: close. */
void load_request(struct sb *out, const struct load_options *o, bool keep);
/* Whole answer in `text`? Its length in bytes, 0 if more must come, -1 if it is no HTTP. *status is set once known. */
int64_t load_answer(const char *text, size_t n, int *status);
/* Append "p50_us":…,"p90_us":…,"p99_us":…,"p999_us":…,"max_us":…,"mean_us":… */
void load_percentiles(struct sb *out, const struct hist *h);

#endif
