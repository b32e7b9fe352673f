/* cmd.c - see cmd.h. */
#include "web/cmd.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int cmd_usage(int argc, char **argv, const char *usage)
{
    bool asked = argc >= 1 && strcmp(argv[argc - 1], "--help") == 0;

    fputs(usage, asked ? stdout : stderr);
    return asked ? EX_OK : EX_USAGE;
}
