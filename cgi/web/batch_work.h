/* batch_work.h - what the files of the batches' thread share. Internal. */
#ifndef WEIR_BATCH_WORK_H
#define WEIR_BATCH_WORK_H

#include "flow/batch_line.h"
#include "peer/fcgi_call.h"
#include "store/batch_items.h"
#include "store/batches.h"
#include "store/files.h"
#include "web/web.h"

/* --- an item (batch_item.c) --- */

enum slot_stage {
    SLOT_IDLE,
    SLOT_READY,                          /* to be sent */
    SLOT_WAITING,                        /* the same, at due_us */
    SLOT_IN_FLIGHT,
    SLOT_ENDED,                          /* `line` is to be written down */
};

struct slot {
    enum slot_stage stage;
    int64_t batch, user;                 /* whose item */
    struct batch_item_place place;
    char custom_id[BATCH_ID_MAX + 1];
    int fd;                              /* where its answer comes; -1: nowhere */
    struct fcgi_answer records;
    struct sb answer;
    int tries;                           /* that failed */
    int generation;                      /* how many keys were used up */
    char first_request_id[80];           /* of the last that Weir's end cut off, "" */
    int64_t first_cost;                  /* of all those, picodollars; < 0: unknown */
    int64_t due_us;                      /* monotonic */
    struct sb line;
    struct batch_item_end end;
    uint64_t model;                      /* what its request names, hashed */
    const char *held;                    /* code of what keeps it from going on, static, or NULL: until that ends, of its batch only
                                            this one is tried again – of all requests, or of those of its model */
    bool holds_all, freed;               /* freed: it was held, and is no more */
    bool busy;                           /* it was told that there is too much */
    int64_t aside;                       /* of the batch's budget, picodollars: what the call under way costs at most; 0: none is, or there
                                            is no budget */
    int64_t charged;                     /* what earlier calls for it cost by the records, at least; picodollars */
    bool short_of_budget;                /* its batch's budget does not pay for it, beside what is set aside */
    bool no_access;                      /* whoever made the batch may no more */
};

/* Send it, once it is ready. It then is in flight, or more. `room` is what of the batch's budget is left for it, picodollars; INT64_MAX:
 * the batch has none. */
void slot_send(struct slot *s, struct web *w, struct db *ro, const struct batch_row *b, int64_t room, struct rng *rng);
/* What earlier calls for its item were charged, as far as is known, picodollars. */
int64_t slot_paid(const struct slot *s);
/* What it takes of its batch's budget that the batch's row does not count yet. */
int64_t slot_takes(const struct slot *s);
/* Bytes may have come: read them, and see what they say if they are all. */
void slot_receive(struct slot *s, struct db *ro, struct rng *rng);
/* The model that the request of a line names, hashed. */
uint64_t slot_model(struct db *ro, const struct batch_row *b, const struct batch_item_place *p);
/* Let go of it. */
void slot_release(struct slot *s);
/* The line of an item that is never sent. False: its input cannot be read. */
bool slot_never_line(struct db *ro, const struct batch_row *b, const struct batch_item_place *p, const char *code, const char *why, struct sb *out)
    __attribute__((warn_unused_result));

/* --- an input (batch_check.c) --- */

/* Read a batch's input: its items, or what is wrong, into the database. E_STORAGE: it has to be tried again later. */
enum weir_err batch_check(struct web *w, struct db *ro, const struct batch_row *b) __attribute__((warn_unused_result));
/* Its input as a file to read from. */
struct file_row batch_input_of(const struct batch_row *b);

#endif
