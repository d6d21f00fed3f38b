/* An HTTP answer in pieces gives what it gives whole; nothing is used that is not there. */
#include <stdint.h>

#include "ingest/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct url url;
    struct tunnel t;
    struct tunnel again;
    struct buf out;
    struct err err;
    size_t used = 0;
    size_t used_later = 0;
    size_t n = 0;
    int step = TUNNEL_MORE;
    url_parse("rtsph://h/x", &url, NULL);
    tunnel_init(&t, &url, "user", "password");
    again = t;
    int whole = tunnel_answer(&t, data, size, &used, &err);
    if (used > size || (whole != TUNNEL_OPEN && used > 0))
        __builtin_trap();
    while (step == TUNNEL_MORE && n++ < size)
        step = tunnel_answer(&again, data, n, &used_later, &err);
    if (step != whole && !(whole == ERR_TOO_BIG || step == ERR_TOO_BIG))
        __builtin_trap();
    if (whole == TUNNEL_OPEN && used != used_later)
        __builtin_trap();
    buf_init(&out, 0);
    tunnel_put_get(&t, &out);
    tunnel_put_post(&t, &out);
    buf_fini(&out);
    tunnel_post_answer(data, size, &err);
    return 0;
}
