/* load.c - the load generator: one case a run, one line of JSON as its answer.
 *
 *   load requests --connections N --seconds S [--rate R]     keep-alive requests
 *   load streams  --connections N --seconds S --ramp R       event streams
 *   load leave    --count N --judge-port P                   leave after a chunk
 *   load commits  --count N --dir D                          what a commit costs here
 *
 * with --address A --port P --method M --path P --token T --body TEXT, and
 * --watch NAME=PID,PID… for the CPU and memory of processes while it measures.
 * bench/run composes the cases. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load.h"
#include "watch.h"

static const struct {
    const char *name;
    int (*run)(const struct load_options *o);
} cases[] = {{"requests", load_requests}, {"streams", load_streams}, {"leave", load_leave}, {"commits", load_commits}};

static int64_t number(const char *s)
{
    char *end;
    long long n = strtoll(s, &end, 10);

    if (*end || end == s || n < 0) {
        (void)fprintf(stderr, "load: not a number: %s\n", s);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"address", required_argument, NULL, 'a'}, {"port", required_argument, NULL, 'p'},
        {"method", required_argument, NULL, 'm'},  {"path", required_argument, NULL, 'u'},
        {"token", required_argument, NULL, 't'},   {"body", required_argument, NULL, 'b'},
        {"connections", required_argument, NULL, 'c'}, {"rate", required_argument, NULL, 'r'},
        {"ramp", required_argument, NULL, 'g'},    {"seconds", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'n'},   {"judge-port", required_argument, NULL, 'j'},
        {"dir", required_argument, NULL, 'd'},     {"watch", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0}};
    struct load_options o = {.address = "127.0.0.1", .method = "POST", .path = "/", .connections = 1, .ramp = 1000,
                             .seconds = 5, .count = 100, .dir = "."};
    struct rlimit files;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'a': o.address = optarg; break;
        case 'p': o.port = (int)number(optarg); break;
        case 'm': o.method = optarg; break;
        case 'u': o.path = optarg; break;
        case 't': o.token = optarg; break;
        case 'b': o.body = optarg; break;
        case 'c': o.connections = number(optarg); break;
        case 'r': o.rate = number(optarg); break;
        case 'g': o.ramp = number(optarg); break;
        case 's': o.seconds = number(optarg); break;
        case 'n': o.count = number(optarg); break;
        case 'j': o.judge_port = number(optarg); break;
        case 'd': o.dir = optarg; break;
        case 'w':
            if (watch_add(optarg))
                break;
            /* fall through */
        default:
            (void)fprintf(stderr, "load: see the head of load.c for the options\n");
            return 2;
        }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; optind < argc && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[optind], cases[i].name) == 0)
            return cases[i].run(&o);
    (void)fprintf(stderr, "load: which case?\n");
    return 2;
}
