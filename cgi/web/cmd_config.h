/* cmd_config.h - `weir config check|show|nginx|doc|example`: what would be in force, without starting. */
#ifndef WEIR_CMD_CONFIG_H
#define WEIR_CMD_CONFIG_H

#include "base/settings.h"

enum { EXIT_CONFIG = 78 };   /* EX_CONFIG of sysexits: a setting is wrong, and the sentence said which */

/* settings_load(), and what only higher layers can check: the whole of what makes a configuration right. */
struct settings *config_load(const char *path, struct sb *why) __attribute__((warn_unused_result));

/* argv[0] is the word after `config`. Returns the exit status: 0, 64 (usage) or EXIT_CONFIG. */
int cmd_config(int argc, char **argv);

#endif
