/* upstream.c - the provider stand-in: speaks OpenAI's and Anthropic's wire formats, holds strict
 * limits of its own, plays a fault where a model's name asks for one (plan.h),
 * and counts as the judge of what really reached a provider (judge.h).
 *
 *   upstream [--port N] [--address A] [--key K] [--texts]
 *            [--rpm N] [--tpm N] [--window bucket|sliding|fixed] [--window-ms N]
 *
 * Prints "listening on ADDRESS:PORT" and serves until SIGTERM. For tests and
 * measurements only. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "chat.h"
#include "judge.h"
#include "net.h"

static volatile int stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void on_request(struct conn *c, const struct request *r, int64_t now_us)
{
    if (!judge_request(c, r, now_us))
        chat_request(c, r, now_us);
}

static int64_t number(const char *s)
{
    char *end;
    long long n = strtoll(s, &end, 10);

    if (*end || end == s || n < 0) {
        (void)fprintf(stderr, "upstream: not a number: %s\n", s);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},   {"address", required_argument, NULL, 'a'},
        {"key", required_argument, NULL, 'k'},    {"texts", no_argument, NULL, 'x'},
        {"rpm", required_argument, NULL, 'r'},    {"tpm", required_argument, NULL, 't'},
        {"window", required_argument, NULL, 'w'}, {"window-ms", required_argument, NULL, 'm'},
        {NULL, 0, NULL, 0}};
    static const struct net_handler handler = {on_request, chat_gone};
    struct sigaction sa = {.sa_handler = on_signal};
    struct rlimit files;
    const char *address = "127.0.0.1", *key = NULL;
    enum limit_kind kind = LIMIT_BUCKET;
    int64_t rpm = 0, tpm = 0, window_ms = 60000;
    int port = 0, o;
    bool texts = false;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (o) {
        case 'p': port = (int)number(optarg); break;
        case 'a': address = optarg; break;
        case 'k': key = optarg; break;
        case 'x': texts = true; break;
        case 'r': rpm = number(optarg); break;
        case 't': tpm = number(optarg); break;
        case 'm': window_ms = number(optarg); break;
        case 'w':
            if (limit_kind_parse(optarg, &kind))
                break;
            /* fall through */
        default:
            (void)fprintf(stderr, "upstream: see the head of upstream.c for the options\n");
            return 2;
        }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
    limit_set(&judge_requests, kind, rpm, window_ms * 1000, clock_mono_us());
    limit_set(&judge_tokens, kind, tpm, window_ms * 1000, clock_mono_us());
    judge_init(texts);
    chat_init(key);
    port = net_listen(address, port);
    if (port < 0) {
        (void)fprintf(stderr, "upstream: cannot listen on %s: %s\n", address, strerror(errno));
        return 1;
    }
    (void)printf("listening on %s:%d\n", address, port);
    (void)fflush(stdout);
    if (net_run(&handler, &stop)) {
        (void)fprintf(stderr, "upstream: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
