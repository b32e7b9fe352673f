/* cmd_exec.c - weir exec: a command under a lease. It waits its turn, runs with our
 * input and output, gets the signals that are sent to us, and its end is settled;
 * where asked it is tried again, each time in line. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "peer/weir_call.h"
#include "rules/retry.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/reach.h"

enum { EXIT_NOT_RUN = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL = 128, RETRIES_MAX = 100, SETTLE_TRIES = 5, WAIT_MAX_S = 3600, NAME_SIZE = 65 };
#define AMOUNT_MAX INT64_C(1000000000)
#define BASE_DELAY_US USEC_PER_SEC
#define MAX_DELAY_US (60 * USEC_PER_SEC)

static const char usage[] =
    "usage: weir exec --upstream NAME [--units N] [--input-tokens N] [--output-tokens N] [--name NAME] [--priority P]\n"
    "                 [--wait SECONDS] [--retries N] [--url URL] -- COMMAND [ARGUMENT …]\n\n"
    "Waits its turn at an upstream with the protocol \"operation\", runs COMMAND and records how long it ran, whether it failed,\n"
    "and what it cost. Input, output and errors are the command's own; signals sent to weir are passed on to it.\n\n"
    "  --units, --input-tokens, --output-tokens   what it will use: set aside before, counted after\n"
    "  --name        what it is called in figures; the command's name unless given\n"
    "  --priority    Low, Medium or High\n"
    "  --wait        wait so long at most; refused at once where it would take longer\n"
    "  --retries     how often a command that fails is tried again, after a wait that grows, and in line each time\n"
    "  --url         where Weir is; else WEIR_URL, or the Weir of weir.json. Its token comes from WEIR_TOKEN, or from the\n"
    "                file admin-token in the state folder\n\n"
    "The status is the command's, or 128 and the signal that ended it; 126, 127: it cannot be run; 64: wrong words; 69: Weir\n"
    "cannot be reached; 75: it refuses for now (limit, budget, restart); 77: it does not take the token; 78: wrong settings.\n";

struct asked {
    const char *upstream, *name, *priority, *url;
    int64_t units, input, output, wait_s, retries;       /* -1: not said */
    char **command;
};

struct exec {
    const struct asked *a;
    struct weir_call call;
    const char *url, *token;
    char lease_id[80];
};

/* --- signals --- */

static volatile sig_atomic_t caught;         /* the last one */
static volatile sig_atomic_t child;          /* 0: none runs */
static void (*broken_pipe)(int);             /* what SIGPIPE did before us */

/* What a terminal sends goes to the command by itself. */
static void on_signal(int number, siginfo_t *from, void *context)
{
    pid_t pid = (pid_t)child;

    (void)context;
    caught = number;
    if (pid > 0 && from->si_code <= 0)
        (void)kill(pid, number);
}

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
enum { PASSED_ON = sizeof passed_on / sizeof *passed_on };

/* What was ignored before us stays so, as under nohup. The command finds all as we did: exec takes handlers away. */
static void pass_signals_on(void)
{
    const struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigaction was;

    for (int i = 0; i < PASSED_ON; i++)
        if (sigaction(passed_on[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
            (void)sigaction(passed_on[i], &sa, NULL);
    broken_pipe = signal(SIGPIPE, SIG_IGN);
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)ctx, (void)a, (void)b, (void)c, (void)d;
    return caught != 0;
}

/* --- Weir --- */

static int complain(int status, const char *what, const char *why)
{
    fprintf(stderr, "weir: %s%s\n", what, why);
    return status;
}

/* POST it; the answer's JSON, which may be NULL. *http is 0 where nothing was answered. */
static json_t *post(struct exec *x, const char *path, json_t *body, bool stops, int *http)
{
    char *text = json_dumps(body, JSON_COMPACT);
    bool sent = false;

    if (text && weir_call_set(&x->call, x->url, x->token, path, text, strlen(text), NULL, NULL) &&
        (!stops || (curl_easy_setopt(x->call.easy, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
                    curl_easy_setopt(x->call.easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK)))
        sent = curl_easy_perform(x->call.easy) == CURLE_OK;
    *http = sent ? weir_call_status(&x->call) : 0;
    free(text);
    json_decref(body);
    return sent ? json_loads(sb_str(&x->call.answer), 0, NULL) : NULL;
}

static void set_text(json_t *o, const char *name, const char *value)
{
    if (value)
        (void)json_object_set_new(o, name, json_string(value));
}

static void set_number(json_t *o, const char *name, int64_t value)
{
    if (value >= 0)
        (void)json_object_set_new(o, name, json_integer(value));
}

static int status_of(int http)
{
    switch (http) {
    case 401:
    case 403:
        return EX_NOPERM;
    case 402:
    case 429:
        return EX_TEMPFAIL;
    default:
        return http >= 500 ? EX_TEMPFAIL : EX_USAGE;
    }
}

static void rest(int64_t us)
{
    const struct timespec t = {.tv_sec = us / USEC_PER_SEC, .tv_nsec = us % USEC_PER_SEC * 1000};

    (void)nanosleep(&t, NULL);               /* a signal ends it */
}

/* What became of it, in `why` if it failed. One that never ran used nothing. */
static void settle(struct exec *x, const char *why, bool ran)
{
    struct sb path = sb_make(256);
    int http = 0;

    sb_putf(&path, "/operations/%s/settle", x->lease_id);
    for (int i = 0; i < SETTLE_TRIES && http != 200; i++) {
        json_t *body = json_object(), *answer;

        if (i > 0)
            rest(BASE_DELAY_US);
        set_text(body, "status", why ? "failed" : "success");
        set_text(body, "error", why);
        if (!ran) {
            set_number(body, "units", 0);
            set_number(body, "input_tokens", 0);
            set_number(body, "output_tokens", 0);
        }
        answer = post(x, sb_str(&path), body, false, &http);
        if (http == 200 && strcmp(json_str(answer, "status", ""), "expired") == 0)
            (void)complain(0, "", "the command ran longer than its lease, and was counted as expired.");
        json_decref(answer);
        if (http >= 400 && http < 500)
            break;
    }
    if (http != 200)
        (void)complain(0, "the end of the command could not be told to Weir, which counts it as expired: ", x->lease_id);
    sb_done(&path);
}

/* Wait for a turn. An exit status; OK: x->lease_id is the lease. */
static int acquire(struct exec *x)
{
    const struct asked *a = x->a;
    json_t *body = json_object(), *answer;
    int http, status = EX_OK;

    set_text(body, "upstream", a->upstream);
    set_text(body, "name", a->name);
    set_text(body, "priority", a->priority);
    set_number(body, "units", a->units);
    set_number(body, "input_tokens", a->input);
    set_number(body, "output_tokens", a->output);
    set_number(body, "wait_ms", a->wait_s < 0 ? -1 : a->wait_s * 1000);
    answer = post(x, "/operations/acquire", body, true, &http);
    (void)snprintf(x->lease_id, sizeof x->lease_id, "%s", json_str(answer, "lease_id", ""));
    if (caught) {
        status = EXIT_SIGNAL + caught;
        if (http == 200 && *x->lease_id)         /* it came as the turn did */
            settle(x, "ended by a signal before it ran", false);
    } else if (!http)
        status = complain(EX_UNAVAILABLE, "Weir cannot be reached at ", x->url);
    else if (http != 200 || !*x->lease_id)
        status = complain(http == 200 ? EX_TEMPFAIL : status_of(http), "", json_str(json_object_get(answer, "error"), "message", "Weir refused."));
    json_decref(answer);
    return status;
}

/* --- the command --- */

enum { DESCRIPTORS = 256 };
static bool inherited[DESCRIPTORS];          /* what was open before we opened anything, and is the command's too */

static void note_inherited(void)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        inherited[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* The connection to Weir, and what else libcurl has open, is not the command's. */
static void keep_ours(void)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (!inherited[fd])
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Start it; errno why it cannot be, else 0. */
static int start(char **command, pid_t *pid)
{
    int fd[2], why = 0;

    if (pipe2(fd, O_CLOEXEC) < 0)
        return errno;
    *pid = fork();
    if (*pid == 0) {
        (void)signal(SIGPIPE, broken_pipe);
        keep_ours();
        (void)execvp(command[0], command);
        why = errno;
        (void)!write(fd[1], &why, sizeof why);
        _exit(EXIT_NOT_FOUND);
    }
    why = *pid < 0 ? errno : 0;
    (void)close(fd[1]);
    while (!why && read(fd[0], &why, sizeof why) < 0 && errno == EINTR)
        why = 0;
    (void)close(fd[0]);
    return why;
}

/* Run it to its end and settle. The status; *failed: it may be tried again. */
static int run(struct exec *x, bool *failed)
{
    char why[64];
    pid_t pid = -1;
    int how = 0, cannot = start(x->a->command, &pid);

    child = pid;
    if (caught && pid > 0)                   /* it came before there was somebody to pass it on to */
        (void)kill(pid, caught);
    while (pid > 0 && waitpid(pid, &how, 0) < 0 && errno == EINTR) {
    }
    child = 0;
    *failed = false;
    if (cannot) {
        settle(x, strerror(cannot), false);
        fprintf(stderr, "weir: %s: %s\n", x->a->command[0], strerror(cannot));
        return cannot == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
    }
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) {
        settle(x, NULL, true);
        return EX_OK;
    }
    *failed = true;
    if (WIFSIGNALED(how))
        (void)snprintf(why, sizeof why, "signal %d", WTERMSIG(how));
    else
        (void)snprintf(why, sizeof why, "exit status %d", WEXITSTATUS(how));
    settle(x, why, true);
    return WIFSIGNALED(how) ? EXIT_SIGNAL + WTERMSIG(how) : WEXITSTATUS(how);
}

static int work(struct exec *x)
{
    uint64_t seed;
    struct rng rng;
    bool failed = false;
    int status = EX_OK;

    rand_bytes(&seed, sizeof seed);
    rng = rng_make(seed);
    pass_signals_on();
    for (int64_t i = 0; i <= x->a->retries && !caught; i++) {
        int refused;

        if (i > 0)
            rest(retry_delay_us((int)i, BASE_DELAY_US, MAX_DELAY_US, -1, &rng));
        if (caught)
            return EXIT_SIGNAL + caught;
        refused = acquire(x);
        if (refused)
            return i > 0 && !caught ? status : refused;      /* the command's own status says more */
        status = run(x, &failed);
        if (!failed)
            break;
    }
    return status;
}

/* --- words --- */

static bool number(const char *text, int64_t max, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && end != text && !*end && *out >= 0 && *out <= max;
}

static bool take_words(struct asked *a, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **text;
        int64_t *number, max;
    } options[] = {
        {"--upstream", &a->upstream, NULL, 0}, {"--name", &a->name, NULL, 0}, {"--priority", &a->priority, NULL, 0}, {"--url", &a->url, NULL, 0},
        {"--units", NULL, &a->units, AMOUNT_MAX}, {"--input-tokens", NULL, &a->input, AMOUNT_MAX}, {"--output-tokens", NULL, &a->output, AMOUNT_MAX},
        {"--wait", NULL, &a->wait_s, WAIT_MAX_S}, {"--retries", NULL, &a->retries, RETRIES_MAX},
    };
    int i = 0;

    for (; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
        bool ok = false;

        for (size_t o = 0; o < sizeof options / sizeof *options && i + 1 < argc; o++) {
            if (strcmp(argv[i], options[o].name) != 0)
                continue;
            ok = options[o].number ? number(argv[i + 1], options[o].max, options[o].number) : *argv[i + 1] != '\0';
            if (options[o].text)
                *options[o].text = argv[i + 1];
        }
        if (!ok)
            return false;
    }
    a->command = argv + i + 1;
    return a->upstream && i + 1 < argc;
}

/* The command without its folder, with a dash for what a name may not have. */
static const char *name_of(const char *command, char out[NAME_SIZE])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:";
    const char *slash = strrchr(command, '/');

    (void)snprintf(out, NAME_SIZE, "%s", slash && slash[1] ? slash + 1 : command);
    for (char *c = out; *c; c++)
        *c = strchr(letters, *c) ? *c : '-';
    return *out ? out : "-";
}

int cmd_exec(int argc, char **argv)
{
    struct asked a = {.units = -1, .input = -1, .output = -1, .wait_s = -1};
    struct sb url = sb_make(4096), token = sb_make(4096), why = sb_make(8192);
    struct exec x = {.a = &a};
    char name[NAME_SIZE];
    int status;

    note_inherited();
    if (argc > 0 && strcmp(argv[0], "--help") == 0)
        return cmd_usage(1, argv, usage);
    if (!take_words(&a, argc, argv))
        return cmd_usage(0, argv, usage);
    if (!a.name)
        a.name = name_of(a.command[0], name);
    if (!reach_weir(a.url, &url, &token, &why)) {
        status = complain(EXIT_CONFIG, "", sb_str(&why));
    } else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !weir_call_open(&x.call)) {
        status = complain(EX_OSERR, "", "no memory.");
    } else {
        x.url = sb_str(&url);
        x.token = sb_str(&token);
        status = work(&x);
        weir_call_close(&x.call);
    }
    if (token.p)
        explicit_bzero(token.p, token.len);
    sb_done(&token);
    sb_done(&url);
    sb_done(&why);
    return status;
}
