/* cmd.h - weir's subcommands. Each takes the words after its name and returns the
 * exit status (sysexits.h). */
#ifndef WEIR_CMD_H
#define WEIR_CMD_H

int cmd_serve(int argc, char **argv);     /* until SIGTERM or SIGINT */
int cmd_backup(int argc, char **argv);    /* FILE: a checked copy of the database beside a running Weir */

#endif
