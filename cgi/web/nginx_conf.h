/* nginx_conf.h - fills nginx.conf's template in from the settings, so that port,
 * paths, host names and body limits stand in one place. No threads; run by `weir config`. */
#ifndef WEIR_NGINX_CONF_H
#define WEIR_NGINX_CONF_H

#include <stdbool.h>

#include "base/sb.h"
#include "base/settings.h"

/* Append the configuration made from the file at `template_path`. `user` runs nginx's
 * workers; NULL when nginx is not started by root. The state folder must exist: nginx
 * needs absolute paths. True, or false with a sentence in `why`. */
bool nginx_conf(const struct settings *s, const char *template_path, const char *user, struct sb *out, struct sb *why)
    __attribute__((warn_unused_result));

#endif
