/* waited.c - a few numbers to a line of JSON and back. */
#include "store/waited.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

void waited_write(const struct call_record *r, struct sb *out)
{
    const char *comma = "";

    if (gate_longest(r->held_us) == GATE_NONE && r->promised_position == 0)
        return;
    sb_puts(out, "{\"held_ms\":{");
    for (int g = 0; g < GATE_COUNT; g++) {
        if (r->held_us[g] < 1000)
            continue;
        sb_putf(out, "%s\"%s\":%" PRId64, comma, gate_key((enum gate)g), r->held_us[g] / 1000);
        comma = ",";
    }
    sb_putc(out, '}');
    if (r->promised_position > 0)
        sb_putf(out, ",\"promised_ms\":%" PRId64 ",\"position\":%" PRId64, r->promised_ms, r->promised_position);
    sb_putc(out, '}');
}

void waited_read(const char *text, struct call_record *r)
{
    json_t *root = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *held = json_object_get(root, "held_ms");

    memset(r->held_us, 0, sizeof r->held_us);
    for (int g = 0; g < GATE_COUNT; g++)
        r->held_us[g] = json_integer_value(json_object_get(held, gate_key((enum gate)g))) * 1000;
    r->promised_ms = json_integer_value(json_object_get(root, "promised_ms"));
    r->promised_position = json_integer_value(json_object_get(root, "position"));
    json_decref(root);
}
