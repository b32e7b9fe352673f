/* watch.c - the CPU clock of each process counts all of its threads to the nanosecond. */
#include "watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WATCH_MAX = 16, PIDS_MAX = 32 };

static struct {
    char name[32];
    int pid[PIDS_MAX];
    int pids;
    int64_t cpu_begin, cpu_end, rss_begin, rss_end;
} watched[WATCH_MAX];
static int n_watched;

bool watch_add(const char *spec)
{
    const char *eq = strchr(spec, '=');
    char *end;

    if (!eq || n_watched == WATCH_MAX || (size_t)(eq - spec) >= sizeof watched->name)
        return false;
    memcpy(watched[n_watched].name, spec, (size_t)(eq - spec));
    do {
        long pid = strtol(++eq, &end, 10);

        if (end == eq || watched[n_watched].pids == PIDS_MAX)
            return false;
        watched[n_watched].pid[watched[n_watched].pids++] = (int)pid;
        eq = end;
    } while (*end == ',');
    n_watched++;
    return *end == '\0';
}

static int64_t cpu_ns(int pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t rss_kib(int pid)
{
    char path[64], line[256];
    int64_t kib = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %" SCNd64, &kib) == 1)
            break;
    (void)fclose(f);
    return kib;
}

static void sample(bool begin)
{
    for (int i = 0; i < n_watched; i++) {
        int64_t cpu = 0, rss = 0;

        for (int k = 0; k < watched[i].pids; k++) {
            cpu += cpu_ns(watched[i].pid[k]);
            rss += rss_kib(watched[i].pid[k]);
        }
        *(begin ? &watched[i].cpu_begin : &watched[i].cpu_end) = cpu;
        *(begin ? &watched[i].rss_begin : &watched[i].rss_end) = rss;
    }
}

void watch_begin(void)
{
    sample(true);
}

void watch_end(void)
{
    sample(false);
}

void watch_json(struct sb *out)
{
    sb_puts(out, "\"watch\":{");
    for (int i = 0; i < n_watched; i++)
        sb_putf(out, "%s\"%s\":{\"cpu_ns\":%" PRId64 ",\"rss_kib\":%" PRId64 ",\"rss_begin_kib\":%" PRId64 "}", i ? "," : "",
                watched[i].name, watched[i].cpu_end - watched[i].cpu_begin, watched[i].rss_end, watched[i].rss_begin);
    sb_putc(out, '}');
}
