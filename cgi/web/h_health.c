/* h_health.c - is Weir up, and can it work. */
#include "web/route.h"

enum weir_err h_healthz(struct exchange *x)
{
    sb_puts(&x->out.body, "{\"status\":\"ok\"}\n");
    return WEIR_OK;
}

enum weir_err h_readyz(struct exchange *x)
{
    const struct snapshot *s;
    size_t up = 0;

    if (atomic_load(&x->web->draining))
        return web_refuse(x, WEIR_E_DRAINING, NULL, NULL);
    if (!writer_healthy(x->web->writer))
        return web_refuse(x, WEIR_E_STORAGE, NULL, NULL);
    if (!engine_models_known(x->web->engine))
        return web_refuse(x, WEIR_E_UNAVAILABLE, NULL, "The providers are being asked for their models.");
    s = engine_snapshot(x->web->engine);
    for (size_t i = 0; i < s->upstream_count; i++)
        up += !s->upstreams[i].down;
    snapshot_put(s);
    if (!up)
        return web_refuse(x, WEIR_E_NO_UPSTREAM, NULL, "Every provider is out of service.");
    sb_puts(&x->out.body, "{\"status\":\"ready\"}\n");
    return WEIR_OK;
}
