/* What parses prints and parses to the same; joining and redacting stay within their bounds. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[URL_TEXT_BYTES * 4];
    char joined[URL_TEXT_BYTES];
    struct url u;
    struct url again;
    struct url origin;
    char *input = xstrndup((const char *)data, size);
    struct span half = {input, strlen(input) / 2};
    struct span rest = {input + half.n, strlen(input) - half.n};
    url_redact(input, text, sizeof text);
    if (url_parse_any(input, &u, NULL) == 0 && url_print_full(&u, text, sizeof text)) {
        if (url_parse_any(text, &again, NULL) < 0 || strcmp(u.user, again.user) != 0 ||
            strcmp(u.password, again.password) != 0 || strcmp(u.host, again.host) != 0 ||
            strcmp(u.path, again.path) != 0 || u.port != again.port || u.is_tls != again.is_tls ||
            u.is_tunnel != again.is_tunnel || strcmp(u.foreign, again.foreign) != 0)
            __builtin_trap();
    }
    url_parse("rtsp://u:p@pub:8554/live?x", &origin, NULL);
    if (url_base(&origin, half, rest, text, sizeof text)) {
        if (strncmp(text, "rtsp://pub:8554", 15) != 0)
            __builtin_trap();
        url_join_control(&origin, text, rest, joined, sizeof joined);
        url_join_control_before_query(&origin, text, half, joined, sizeof joined);
    }
    FREE(&input);
    return 0;
}
