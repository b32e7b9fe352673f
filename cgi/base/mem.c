/* mem.c - allocation or a clear end. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line of the log, put together without memory. */
static _Noreturn void out_of_memory(size_t bytes)
{
    char line[120];
    int n = snprintf(line, sizeof line, "{\"level\":\"error\",\"msg\":\"out of memory (%zu bytes)\"}\n", bytes);

    if (write(STDERR_FILENO, line, (size_t)n) != n)
        abort();
    abort();
}

void *mem_zalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory(n * size);
    return p;
}

char *mem_strdup(const char *s)
{
    char *p;

    if (!s)
        return NULL;
    p = strdup(s);
    if (!p)
        out_of_memory(strlen(s) + 1);
    return p;
}

void *mem_grow(void *p, size_t n, size_t size)
{
    void *q = reallocarray(p, n, size);

    if (!q)
        out_of_memory(n * size);
    return q;
}
