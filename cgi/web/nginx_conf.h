/* nginx_conf.h - fills nginx.conf's template in from the settings, so that port,
 * paths, host names and body limits stand in one place. No threads; run by `weir config`. */
#ifndef WEIR_NGINX_CONF_H
#define WEIR_NGINX_CONF_H

#include <stdbool.h>

#include "base/sb.h"
#include "base/settings.h"

/* Append nginx's configuration made from nginx.conf and nginx-site.conf in `folder`, or with `site_only` from the second
 * alone: what belongs inside http { } of an nginx that serves other sites too. `user` runs nginx's workers; NULL when
 * nginx is not started by root. Paths of the settings that are not absolute must exist, for nginx needs absolute
 * ones. True, or false with a sentence in `why`. */
bool nginx_conf(const struct settings *s, const char *folder, const char *user, bool site_only, struct sb *out, struct sb *why)
    __attribute__((warn_unused_result));

#endif
