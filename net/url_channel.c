#include "net/url.h"

#include <string.h>

#include "base/mem.h"

/* What stands in front of the number, in lower case. Hikvision counts channel 3's main stream as
 * 301. */
static const struct {
    const char *before;
    bool has_stream;
} forms[] = {{"streaming/channels/", true},
             {"streaming/tracks/", true},
             {"channel=", false},
             {"chid=", false},
             {"?ch=", false},
             {"&ch=", false},
             {"unicast/c", false},
             {"/ch", false}};

int url_channel(const struct url *u)
{
    struct span path = span_of(u->path);
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        size_t n = strlen(forms[f].before);
        for (size_t i = 0; i + n < path.n; i++) {
            struct span rest = {path.p + i, path.n - i};
            int v = 0;
            if (!span_istarts(rest, forms[f].before))
                continue;
            for (size_t d = n; d < rest.n && d < n + 5 && rest.p[d] >= '0' && rest.p[d] <= '9'; d++)
                v = v * 10 + (rest.p[d] - '0');
            if (v > 0)
                return forms[f].has_stream && v > 100 ? v / 100 : v;
        }
    }
    return 0;
}
