/* replay_meter.h - an exact sliding window: how a strict provider counts, and how
 * full a limit was. Deliberately not rules/window.h, which is what it judges. */
#ifndef WEIR_REPLAY_METER_H
#define WEIR_REPLAY_METER_H

#include <stddef.h>
#include <stdint.h>

struct replay_meter {
    int64_t window_us;
    int64_t limit;            /* the provider's; 0: none */
    int64_t sum, peak, total; /* in the window now; the most it ever was; of all */
    struct {
        int64_t at_us, n;
    } *event;                 /* in the window, oldest first */
    size_t first, count, cap;
};

void replay_meter_add(struct replay_meter *m, int64_t n, int64_t now_us);
/* Microseconds until n more fit under the limit; 0: now. More than all of it never fits: the whole window. */
int64_t replay_meter_wait_us(struct replay_meter *m, int64_t n, int64_t now_us);
void replay_meter_done(struct replay_meter *m);

#endif
