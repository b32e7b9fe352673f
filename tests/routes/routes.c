/* routes.c - prints the table of routes as JSON, for the test that walks it. */
#include <stdio.h>

#include "web/route.h"

static const char *const bodies[] = {
    [BODY_NONE] = "none", [BODY_JSON] = "json", [BODY_ROWS] = "rows", [BODY_MAYBE] = "maybe", [BODY_FORM] = "form",
    [BODY_PAGE] = "page",
};

int main(void)
{
    size_t n;
    const struct route *r = route_table(&n);

    for (size_t i = 0; i < n; i++) {
        printf("%s{\"method\":\"%s\",\"pattern\":\"%s\",\"body\":\"%s\",\"open\":%s,\"fresh\":%s,\"roles\":[", i ? ",\n" : "[",
               http_method_name(r[i].method), r[i].pattern, bodies[r[i].body], r[i].perm == PERM_OPEN ? "true" : "false",
               r[i].perm & PERM_FRESH ? "true" : "false");
        for (int role = 0, any = 0; role < ROLE_COUNT; role++)
            if (route_permits(&r[i], (enum role)role))
                printf("%s\"%s\"", any++ ? "," : "", role_name((enum role)role));
        printf("]}");
    }
    puts("]");
    return 0;
}
