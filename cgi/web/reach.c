/* reach.c - see reach.h. */
#include "web/reach.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

void reach_url(const struct settings *s, struct sb *url)
{
    sb_putf(url, "http%s://%s:%" PRId64, s->http.tls_key ? "s" : "", s->http.address, s->http.port);
}

bool reach_weir(const char *given, struct sb *url, struct sb *token, struct sb *why)
{
    struct settings *s = NULL;
    struct sb path = sb_make(8192);
    bool ok = true;

    sb_puts(url, given ? given : getenv("WEIR_URL"));
    sb_puts(token, getenv("WEIR_TOKEN"));
    if (!url->len || !token->len) {
        s = settings_load(NULL, why);
        ok = s != NULL;
        if (ok && !url->len)
            reach_url(s, url);
        if (ok && !token->len) {
            sb_putf(&path, "%s/admin-token", s->state);
            ok = file_read(sb_str(&path), token, why);
            if (!ok)
                sb_puts(why, " WEIR_TOKEN can hold a token of Weir's.");
            sb_drop(token, token->len - strcspn(sb_str(token), "\r\n"));
        }
    }
    while (url->len && sb_str(url)[url->len - 1] == '/')
        sb_drop(url, 1);
    sb_done(&path);
    settings_free(s);
    return ok;
}
