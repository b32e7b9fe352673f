/* batch_input.c - see batch_input.h. The batch file's format is that of OpenAI's Batch API. */
#include "flow/batch_input.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

enum { FAULTS_MAX = 10, CELL_MAX = 1 << 20, COLUMNS_MAX = 64 };

/* Items by custom_id: positions in order of the names. */
struct batch_index {
    size_t n;
    struct batch_entry {
        const char *custom_id;
        size_t item;
    } of[];
};

struct reader {
    struct batch_input *in;
    const struct batch_defaults *defaults;
    const char *path;
    struct sb *why;
    int64_t line, faults;
    size_t cap;
};

__attribute__((format(printf, 2, 3))) static void fault(struct reader *r, const char *fmt, ...)
{
    va_list ap;

    if (r->faults++ >= FAULTS_MAX)
        return;
    sb_putf(r->why, "%s%s, line %" PRId64 ": ", r->why->len ? "\n" : "", r->path, r->line);
    va_start(ap, fmt);
    sb_vputf(r->why, fmt, ap);
    va_end(ap);
}

/* Takes `body`. */
static void add(struct reader *r, const char *custom_id, const char *url, json_t *body)
{
    struct batch_input *in = r->in;
    struct batch_item *it;
    char name[32];

    if (in->n == BATCH_ITEMS_MAX) {
        fault(r, "a batch has at most %d items.", BATCH_ITEMS_MAX);
        json_decref(body);
        return;
    }
    if (in->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 256;
        in->items = mem_grow(in->items, r->cap, sizeof *in->items);
    }
    (void)snprintf(name, sizeof name, "line-%" PRId64, r->line);
    it = &in->items[in->n++];
    it->custom_id = mem_strdup(custom_id && *custom_id ? custom_id : name);
    it->url = mem_strdup(url);
    it->body = json_dumps(body, JSON_COMPACT);
    it->body_bytes = strlen(it->body);
    it->line = r->line;
    json_decref(body);
}

/* --- the batch file --- */

static void read_object(struct reader *r, const char *text, size_t n)
{
    struct batch_line_fault f;
    struct batch_line l;

    if (batch_line_read(text, n, r->defaults->model, &l, &f)) {
        add(r, l.custom_id, l.url, json_incref(l.body));
        json_decref(l.json);
    } else
        fault(r, "%s%s", f.why, f.param && strcmp(f.param, "body.model") == 0 ? " --model NAME names one for all." : "");
}

/* --- prompts --- */

static void add_prompt(struct reader *r, const char *custom_id, const char *model, const char *system, const char *prompt, int64_t max_tokens)
{
    json_t *body = json_object(), *messages = json_array();

    if (!model || !*model) {
        fault(r, "no model: add --model NAME, or a column 'model'.");
        json_decref(body);
        json_decref(messages);
        return;
    }
    if (system && *system)
        (void)json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "system", "content", system));
    (void)json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "user", "content", prompt));
    (void)json_object_set_new(body, "model", json_string(model));
    (void)json_object_set_new(body, "messages", messages);
    if (max_tokens > 0)
        (void)json_object_set_new(body, "max_tokens", json_integer(max_tokens));
    if (json_array_size(messages) != 1u + (system && *system)) {
        fault(r, "the text is not valid UTF-8.");
        json_decref(body);
    } else
        add(r, custom_id, "/v1/chat/completions", body);
}

static bool is_blank(const char *text, size_t n)
{
    while (n > 0 && strchr(" \t\r", text[n - 1]))
        n--;
    return n == 0;
}

static void read_lines(struct reader *r, const char *text, size_t n, bool objects)
{
    for (size_t at = 0; at < n;) {
        size_t len = strcspn(text + at, "\n"), kept = len;

        r->line++;
        kept -= kept > 0 && text[at + kept - 1] == '\r';
        if (is_blank(text + at, kept)) {
            at += len + 1;
            continue;
        }
        if (objects)
            read_object(r, text + at, kept);
        else {
            char *prompt = strndup(text + at, kept);

            if (prompt)
                add_prompt(r, NULL, r->defaults->model, r->defaults->system, prompt, r->defaults->max_tokens);
            free(prompt);
        }
        at += len + 1;
    }
}

/* --- CSV --- */

enum column { COLUMN_OTHER, COLUMN_PROMPT, COLUMN_ID, COLUMN_MODEL, COLUMN_SYSTEM, COLUMN_MAX_TOKENS, COLUMNS };
static const char *const column_names[COLUMNS] = {"", "prompt", "custom_id", "model", "system", "max_tokens"};

/* The next cell, and what is wrong with it. */
static void next_cell(struct reader *r, struct csv *c, struct sb *cell)
{
    if (csv_cell(c, cell))
        return;
    if (sb_ok(cell))
        fault(r, "a quotation mark is not closed.");
    else
        fault(r, "a cell has more than %d bytes.", CELL_MAX);
}

static void read_header(struct reader *r, struct csv *c, enum column columns[COLUMNS_MAX])
{
    struct sb cell = sb_make(CELL_MAX);
    bool prompt = false;

    r->line = c->line;
    for (size_t i = 0; !c->row_over; i++) {
        int k = COLUMNS - 1;

        next_cell(r, c, &cell);
        while (k > 0 && strcasecmp(sb_str(&cell), column_names[k]) != 0)
            k--;
        prompt = prompt || k == COLUMN_PROMPT;
        if (i < COLUMNS_MAX)
            columns[i] = (enum column)k;
    }
    if (!prompt)
        fault(r, "the first line of a CSV file names its columns, and one has to be 'prompt' (also known: custom_id, model, system, max_tokens).");
    sb_done(&cell);
}

static void read_csv(struct reader *r, const char *text, size_t n)
{
    struct csv c = csv_make(text, n, ',');
    enum column columns[COLUMNS_MAX] = {COLUMN_OTHER};

    read_header(r, &c, columns);
    while (c.at < c.end && !r->faults) {
        struct sb cell = sb_make(CELL_MAX);
        char *of[COLUMNS] = {NULL};

        r->line = c.line;
        c.row_over = false;
        for (size_t i = 0; !c.row_over; i++) {
            next_cell(r, &c, &cell);
            if (i < COLUMNS_MAX && columns[i] != COLUMN_OTHER && !of[columns[i]] && cell.len)
                of[columns[i]] = mem_strdup(sb_str(&cell));
        }
        if (of[COLUMN_PROMPT] && !is_blank(of[COLUMN_PROMPT], strlen(of[COLUMN_PROMPT])))
            add_prompt(r, of[COLUMN_ID], of[COLUMN_MODEL] ? of[COLUMN_MODEL] : r->defaults->model,
                       of[COLUMN_SYSTEM] ? of[COLUMN_SYSTEM] : r->defaults->system, of[COLUMN_PROMPT],
                       of[COLUMN_MAX_TOKENS] ? strtoll(of[COLUMN_MAX_TOKENS], NULL, 10) : r->defaults->max_tokens);
        for (int k = 0; k < COLUMNS; k++)
            free(of[k]);
        sb_done(&cell);
    }
}

/* --- all --- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct batch_entry *)a)->custom_id, ((const struct batch_entry *)b)->custom_id);
}

static void make_index(struct reader *r)
{
    struct batch_input *in = r->in;

    in->index = mem_zalloc(1, sizeof *in->index + in->n * sizeof *in->index->of);
    in->index->n = in->n;
    for (size_t i = 0; i < in->n; i++)
        in->index->of[i] = (struct batch_entry){in->items[i].custom_id, i};
    qsort(in->index->of, in->n, sizeof *in->index->of, by_id);
    for (size_t i = 1; i < in->n; i++) {
        const struct batch_entry *two = in->index->of + i - 1;

        if (by_id(two, two + 1) != 0)
            continue;
        r->line = in->items[two[0].item > two[1].item ? two[0].item : two[1].item].line;
        fault(r, "the custom_id '%.100s' is there a second time; it tells the answers apart.", two->custom_id);
    }
}

bool batch_input_read(struct batch_input *in, const char *path, const struct batch_defaults *d, struct sb *why)
{
    struct reader r = {.in = in, .defaults = d, .path = path, .why = why};
    struct sb text = sb_make(BATCH_FILE_MAX);
    const char *dot = strrchr(path, '.');

    *in = (struct batch_input){0};
    if (!file_read(path, &text, why)) {
        sb_done(&text);
        return false;
    }
    if (memchr(sb_str(&text), 0, text.len))
        fault(&r, "there is a byte 0 in it, so it is no text.");
    else if (dot && strcasecmp(dot, ".csv") == 0)
        read_csv(&r, sb_str(&text), text.len);
    else
        read_lines(&r, sb_str(&text), text.len, !(dot && strcasecmp(dot, ".txt") == 0) && sb_str(&text)[strspn(sb_str(&text), " \t\r\n")] == '{');
    sb_done(&text);
    if (!r.faults)
        make_index(&r);
    if (r.faults > FAULTS_MAX)
        sb_putf(why, "\n… and %" PRId64 " more.", r.faults - FAULTS_MAX);
    else if (!r.faults && in->n == 0)
        sb_putf(why, "%s: there is nothing in it.", path);
    return !r.faults && in->n > 0;
}

void batch_input_done(struct batch_input *in)
{
    for (size_t i = 0; i < in->n; i++) {
        free((char *)(uintptr_t)in->items[i].custom_id);
        free((char *)(uintptr_t)in->items[i].url);
        free((char *)(uintptr_t)in->items[i].body);
    }
    free(in->items);
    free(in->index);
    *in = (struct batch_input){0};
}

int64_t batch_input_find(const struct batch_input *in, const char *custom_id)
{
    const struct batch_entry wanted = {custom_id, 0};
    const struct batch_entry *e = bsearch(&wanted, in->index->of, in->index->n, sizeof wanted, by_id);

    return e ? (int64_t)e->item : -1;
}
