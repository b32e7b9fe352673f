/* batch_log.c - see batch_log.h. */
#include "flow/batch_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

enum { MODELS_MAX = 32, COPIES = 10, COPY_SECONDS = 300, PATH_BYTES = 4096 };

struct batch_log {
    const struct batch_input *in;
    char id[RAND_ID_SIZE];
    int out, errors;
    struct sb out_path, errors_path, folder;
    unsigned char *state;                /* enum batch_state by item */
    struct batch_counts counts;
    int64_t seconds_before;              /* of the runs before this one */
    int64_t copied_at;                   /* seconds of this run */
    struct batch_model models[MODELS_MAX];
    size_t model_count;
};

const char *batch_log_id(const struct batch_log *l)
{
    return l->id;
}

enum batch_state batch_log_state(const struct batch_log *l, size_t item)
{
    return l ? (enum batch_state)l->state[item] : BATCH_OPEN;
}

const struct batch_counts *batch_log_counts(const struct batch_log *l)
{
    return &l->counts;
}

const char *batch_log_errors(const struct batch_log *l)
{
    return sb_str(&l->errors_path);
}

const struct batch_model *batch_log_models(const struct batch_log *l, size_t *n)
{
    *n = l->model_count;
    return l->models;
}

/* --- counting --- */

static void count(struct batch_log *l, size_t item, const char *model, int64_t cost, int64_t in, int64_t out, bool repeated)
{
    size_t i = 0;

    l->state[item] = BATCH_DONE;
    l->counts.succeeded++;
    l->counts.cost += cost;
    l->counts.tokens_in += in;
    l->counts.tokens_out += out;
    l->counts.repeated += repeated;
    while (i < l->model_count && strcmp(l->models[i].model, model) != 0)
        i++;
    if (i == MODELS_MAX)
        i--;
    else if (i == l->model_count)
        (void)snprintf(l->models[l->model_count++].model, sizeof l->models[i].model, "%s", i < MODELS_MAX - 1 ? model : "others");
    l->models[i].calls++;
    l->models[i].cost += cost;
    l->models[i].tokens_in += in;
    l->models[i].tokens_out += out;
}

/* A line that was written before. False: it is none of ours. */
static bool take_line(struct batch_log *l, const char *line, size_t n)
{
    static const char mark[] = ",\"response\":";
    const char *at = memmem(line, n, mark, sizeof mark - 1);
    struct sb head = sb_make(64 * 1024);
    char why[160];
    json_t *j = NULL;
    bool ok = at != NULL && line[n - 1] == '}';

    if (ok) {
        sb_put(&head, line, (size_t)(at - line));
        sb_putc(&head, '}');
        ok = sb_ok(&head) && !json_parse_object(sb_str(&head), head.len, &json_limits_own, &j, why);
    }
    if (ok) {
        const json_t *weir = json_object_get(j, "weir");
        int64_t item = batch_input_find(l->in, json_str(j, "custom_id", ""));

        if (item >= 0 && l->state[item] == BATCH_OPEN)
            count(l, (size_t)item, json_str(weir, "model", ""), json_int(weir, "cost_picodollars", 0), json_int(weir, "tokens_in", 0),
                  json_int(weir, "tokens_out", 0), json_object_get(weir, "first_request_id") != NULL);
    }
    json_decref(j);
    sb_done(&head);
    return ok;
}

/* What OUT has; a line that kill -9 tore is cut off, so that its item is asked for again (and answered from what Weir kept). */
static bool read_output(struct batch_log *l, struct sb *why)
{
    FILE *f = fdopen(dup(l->out), "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    off_t whole = 0;

    while (f && (n = getline(&line, &size, f)) > 0) {
        if (line[n - 1] != '\n')
            break;
        whole += n;
        if (n > 1 && !take_line(l, line, (size_t)n - 1)) {
            sb_putf(why, "%s has a line that no batch wrote; name another --output, or begin anew with --force.", sb_str(&l->out_path));
            break;
        }
    }
    free(line);
    if (f)
        (void)fclose(f);
    if (!why->len && (!f || ftruncate(l->out, whole) != 0 || lseek(l->out, whole, SEEK_SET) < 0))
        sb_putf(why, "%s: %s", sb_str(&l->out_path), strerror(errno));
    return why->len == 0;
}

/* --- checkpoints --- */

static void put_checkpoint(const struct batch_log *l, struct sb *out)
{
    const struct batch_counts *c = &l->counts;

    sb_puts(out, "{\"batch_id\":");
    sb_json(out, l->id);
    sb_puts(out, ",\"at\":\"");
    sb_time(out, clock_utc_ms());
    sb_putf(out, "\",\"items\":%zu,\"processed\":%" PRId64 ",\"succeeded\":%" PRId64 ",\"failed\":%" PRId64 ",\"repeated\":%" PRId64
            ",\"tokens_in\":%" PRId64 ",\"tokens_out\":%" PRId64 ",\"seconds\":%" PRId64 ",\"cost_usd\":",
            l->in->n, c->succeeded + c->parked, c->succeeded, c->parked, c->repeated, c->tokens_in, c->tokens_out, c->seconds);
    sb_usd(out, c->cost);
    sb_puts(out, ",\"output\":");
    sb_json(out, sb_str(&l->out_path));
    sb_puts(out, ",\"errors\":");
    sb_json(out, sb_str(&l->errors_path));
    sb_puts(out, "}\n");
}

static bool put_file(const struct batch_log *l, const char *name, const struct sb *text, struct sb *why)
{
    struct sb path = sb_make(PATH_BYTES);
    bool ok;

    sb_putf(&path, "%s/%s", sb_str(&l->folder), name);
    ok = file_replace(sb_str(&path), 0600, sb_str(text), text->len, why);
    sb_done(&path);
    return ok;
}

static int is_copy(const struct dirent *d)
{
    return strncmp(d->d_name, "checkpoint_2", 12) == 0;
}

static void drop_old_copies(const struct batch_log *l)
{
    struct dirent **list = NULL;
    int n = scandir(sb_str(&l->folder), &list, is_copy, alphasort);

    for (int i = 0; i < n; i++) {
        struct sb path = sb_make(PATH_BYTES);

        sb_putf(&path, "%s/%s", sb_str(&l->folder), list[i]->d_name);
        if (i < n - COPIES)
            (void)unlink(sb_str(&path));
        sb_done(&path);
        free(list[i]);
    }
    free(list);
}

bool batch_log_checkpoint(struct batch_log *l, int64_t seconds, struct sb *why)
{
    struct sb text = sb_make(64 * 1024), name = sb_make(128);
    bool copy = seconds - l->copied_at >= COPY_SECONDS, ok;

    l->counts.seconds = l->seconds_before + seconds;
    put_checkpoint(l, &text);
    ok = fdatasync(l->out) == 0 && put_file(l, "checkpoint_latest.json", &text, why);
    if (ok && copy) {
        sb_puts(&name, "checkpoint_");
        sb_time(&name, clock_utc_ms());
        sb_puts(&name, ".json");
        ok = put_file(l, sb_str(&name), &text, why);
        l->copied_at = seconds;
        drop_old_copies(l);
    } else if (!ok && !why->len)
        sb_putf(why, "%s cannot be written: %s", sb_str(&l->out_path), strerror(errno));
    sb_done(&text);
    sb_done(&name);
    return ok;
}

/* The id and the seconds of the runs before. */
static bool read_checkpoint(struct batch_log *l, struct sb *why)
{
    struct sb path = sb_make(PATH_BYTES), text = sb_make(64 * 1024);
    json_t *j = NULL;
    char reason[160] = "";

    sb_putf(&path, "%s/checkpoint_latest.json", sb_str(&l->folder));
    if (file_read(sb_str(&path), &text, why) && json_parse_object(sb_str(&text), text.len, &json_limits_own, &j, reason))
        sb_putf(why, "%s: %s", sb_str(&path), reason);
    (void)snprintf(l->id, sizeof l->id, "%s", json_str(j, "batch_id", ""));
    l->seconds_before = json_int(j, "seconds", 0);
    if (!why->len && !*l->id)
        sb_putf(why, "%s: 'batch_id' is missing.", sb_str(&path));
    json_decref(j);
    sb_done(&path);
    sb_done(&text);
    return why->len == 0;
}

/* --- opening --- */

static int open_file(const struct sb *path, int flags, struct sb *why)
{
    int fd = open(sb_str(path), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);

    if (fd < 0 && errno == EEXIST)
        sb_putf(why, "%s is there already. Add --resume to go on with it, or --force to begin anew.", sb_str(path));
    else if (fd < 0)
        sb_putf(why, "%s cannot be opened: %s", sb_str(path), strerror(errno));
    return fd;
}

static bool open_all(struct batch_log *l, bool resume, bool force, struct sb *why)
{
    if (mkdir(sb_str(&l->folder), 0700) != 0 && errno != EEXIST) {
        sb_putf(why, "%s cannot be made: %s", sb_str(&l->folder), strerror(errno));
        return false;
    }
    if (resume && !read_checkpoint(l, why)) {
        sb_puts(why, " There is no batch to go on with; leave --resume away.");
        return false;
    }
    l->out = open_file(&l->out_path, resume ? 0 : force ? O_TRUNC : O_EXCL, why);
    l->errors = l->out < 0 ? -1 : open_file(&l->errors_path, O_TRUNC, why);
    if (l->errors < 0 || !file_sync_directory_of(sb_str(&l->out_path)))
        return false;
    return !resume || read_output(l, why);
}

struct batch_log *batch_log_open(const char *output, const struct batch_input *in, bool resume, bool force, struct sb *why)
{
    struct batch_log *l = mem_zalloc(1, sizeof *l);
    size_t stem = strlen(output);

    stem -= stem > 6 && strcmp(output + stem - 6, ".jsonl") == 0 ? 6 : 0;
    *l = (struct batch_log){.in = in, .out = -1, .errors = -1, .out_path = sb_make(PATH_BYTES), .errors_path = sb_make(PATH_BYTES),
                            .folder = sb_make(PATH_BYTES), .state = mem_zalloc(in->n, 1)};
    sb_puts(&l->out_path, output);
    sb_putf(&l->errors_path, "%.*s.errors.jsonl", (int)stem, output);
    sb_putf(&l->folder, "%s.checkpoints", output);
    rand_id(l->id, "bat");
    if (open_all(l, resume, force, why) && batch_log_checkpoint(l, 0, why))
        return l;
    if (!why->len)
        sb_putf(why, "%s cannot be written: %s", output, strerror(errno));
    batch_log_close(l);
    return NULL;
}

void batch_log_close(struct batch_log *l)
{
    if (!l)
        return;
    if (l->out >= 0)
        (void)close(l->out);
    if (l->errors >= 0)
        (void)close(l->errors);
    sb_done(&l->out_path);
    sb_done(&l->errors_path);
    sb_done(&l->folder);
    free(l->state);
    free(l);
}

/* --- answers --- */

bool batch_log_answer(struct batch_log *l, size_t item, const struct batch_result *r, struct sb *why)
{
    struct sb line = sb_make(BATCH_LINE_MAX);
    bool parked = r->error != NULL, ok;

    batch_line_put(&line, item, l->in->items[item].custom_id, r);
    ok = sb_ok(&line) && file_write(parked ? l->errors : l->out, line.p, line.len);
    if (!ok)
        sb_putf(why, "%s cannot be written: %s", sb_str(parked ? &l->errors_path : &l->out_path), sb_ok(&line) ? strerror(errno) : "the answer is too large");
    else if (parked) {
        l->state[item] = BATCH_PARKED;
        l->counts.parked++;
    } else
        count(l, item, r->model, batch_result_paid(r), r->tokens_in, r->tokens_out, r->first_request_id != NULL);
    sb_done(&line);
    return ok;
}
