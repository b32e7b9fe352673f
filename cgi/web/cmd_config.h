/* cmd_config.h - `weir config check|show|nginx|doc|example`: what would be in force, without starting. */
#ifndef WEIR_CMD_CONFIG_H
#define WEIR_CMD_CONFIG_H

enum { EXIT_CONFIG = 78 };   /* EX_CONFIG of sysexits: a setting is wrong, and the sentence said which */

/* argv[0] is the word after `config`. Returns the exit status: 0, 64 (usage) or EXIT_CONFIG. */
int cmd_config(int argc, char **argv);

#endif
