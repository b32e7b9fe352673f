/* cmd.h - weir's subcommands. Each takes the words after its name and returns the
 * exit status (sysexits.h). */
#ifndef WEIR_CMD_H
#define WEIR_CMD_H

#include <stdbool.h>

int cmd_serve(int argc, char **argv);     /* until SIGTERM or SIGINT */
int cmd_audit(int argc, char **argv);     /* verify: is the audit log what Weir wrote? */
int cmd_batch(int argc, char **argv);     /* run: the prompts of a file through a running Weir, to be stopped and gone on with */
int cmd_backup(int argc, char **argv);    /* FILE: a checked copy of the database beside a running Weir */
int cmd_exec(int argc, char **argv);      /* a command of somebody's, under a lease of a running Weir */
int cmd_reconcile(int argc, char **argv);  /* FILE…: a provider's usage export beside the ledger */
int cmd_report(int argc, char **argv);    /* the figures of /monitoring as tables and a file, beside a running Weir */
int cmd_replay(int argc, char **argv);    /* recorded requests under other settings */
int cmd_user(int argc, char **argv);      /* users: list, add, change, remove, and what cmd_person() does */
int cmd_person(int argc, char **argv);    /* export, erase: all that is kept of one person */
int cmd_token(int argc, char **argv);     /* API tokens: list, create, revoke */
int cmd_top(int argc, char **argv);       /* limits, queue and spend of the Weir that runs, live */
int cmd_tune(int argc, char **argv);      /* what would have served them better, and writing it into weir.json */
int cmd_verify(int argc, char **argv);    /* does the ledger add up? */

/* The words cannot be, or ask for --help: print `usage`, to stderr or stdout, and give EX_USAGE or EX_OK. */
int cmd_usage(int argc, char **argv, const char *usage);

#endif
