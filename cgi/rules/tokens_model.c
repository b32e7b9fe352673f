/* tokens_model.c - which encoding belongs to which model, as a table: the first
 * row whose beginning fits decides. OpenAI's are exact; for others the factor
 * is where calibration by reported usage starts from. */
#include <string.h>

#include "rules/tokens.h"

static const struct row {
    const char *begins;
    enum tokens_kind kind;
    int32_t permille;         /* 1000: this is the model's own encoding */
} rows[] = {
    {"gpt-4o", TOKENS_O200K, 1000},
    {"gpt-4.", TOKENS_O200K, 1000},
    {"gpt-4", TOKENS_CL100K, 1000},
    {"gpt-3.5", TOKENS_CL100K, 1000},
    {"gpt-35", TOKENS_CL100K, 1000},
    {"text-embedding-", TOKENS_CL100K, 1000},
    {"gpt-", TOKENS_O200K, 1000},
    {"chatgpt-", TOKENS_O200K, 1000},
    {"chat-latest", TOKENS_O200K, 1000},
    {"o1", TOKENS_O200K, 1000},
    {"o3", TOKENS_O200K, 1000},
    {"o4", TOKENS_O200K, 1000},
    {"codex-", TOKENS_O200K, 1000},
    {"eliza", TOKENS_O200K, 1000},          /* ours: by decision */
    {"claude", TOKENS_O200K, 1200},
    {"gemini", TOKENS_O200K, 1130},
    {"gemma", TOKENS_O200K, 1130},
    {"llama", TOKENS_O200K, 1030},
    {"deepseek", TOKENS_O200K, 1090},
    {"qwen", TOKENS_O200K, 1080},
    {"mistral", TOKENS_O200K, 1150},
    {"mixtral", TOKENS_O200K, 1150},
};

static const struct row other = {"", TOKENS_O200K, 1150};

struct tokens_model tokens_for(const struct tokens_set *s, const char *model)
{
    const char *slash = strrchr(model, '/'), *name = slash ? slash + 1 : model;
    const struct row *row = &other;
    struct tokens_model m;

    for (size_t i = 0; i < sizeof rows / sizeof *rows && row == &other; i++)
        if (!strncasecmp(name, rows[i].begins, strlen(rows[i].begins)))
            row = &rows[i];
    m.encoding = s->encoding[row->kind];
    if (!m.encoding)
        m.encoding = s->encoding[TOKENS_O200K];
    m.permille = row->permille;
    m.exact = m.encoding && m.encoding == s->encoding[row->kind] && row->permille == 1000;
    return m;
}
