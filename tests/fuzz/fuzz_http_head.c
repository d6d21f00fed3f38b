/* Request heads and chunked bodies. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "net/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    size_t scanned = 0;
    int n = http_head_find_end(data, MIN(size, 100), &scanned);
    if (n == 0)
        n = http_head_find_end(data, size, &scanned);
    if (n <= 0)
        n = (int)MIN(size, 65536);
    char *text = xmalloc((size_t)n + 1);
    memcpy(text, data, (size_t)n);
    if (http_head_parse(text, (size_t)n, &head) == 0) {
        if (head.target[0] != '/' && head.target[0] != '*')
            __builtin_trap();
        char *target = xstrdup(head.target);
        http_percent_decode(target, true);
        FREE(&target);
    }
    FREE(&text);
    struct http_chunks chunks = {0};
    struct buf body;
    buf_init(&body, 1000);
    size_t used = 0;
    size_t half = size / 2;
    if (http_chunks_feed(&chunks, data, half, &used, &body) == 0)
        http_chunks_feed(&chunks, data + half, size - half, &used, &body);
    buf_fini(&body);
    return 0;
}
