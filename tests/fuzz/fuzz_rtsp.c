/* The parser always gets on, stays inside its input, and messages survive printing. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "net/rtsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct rtsp_message *m)
{
    static struct rtsp_item again;
    struct rtsp_parser p;
    struct buf b;
    buf_init(&b, 0);
    rtsp_response_begin(&b, m->status, "x", m->cseq, NULL);
    rtsp_end(&b, "text/plain", m->body.p, m->body.n);
    rtsp_parser_init(&p);
    if (rtsp_parse(&p, b.data, b.len, &again) != b.len || again.message.status != m->status ||
        again.message.cseq != m->cseq || again.message.body.n != m->body.n)
        __builtin_trap();
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rtsp_item item;
    struct rtsp_parser p;
    rtsp_parser_init(&p);
    size_t at = 0;
    size_t step = size ? 1 + data[0] % 64 : 1;
    for (size_t end = MIN(step, size); at < size; end = MIN(end + step, size)) {
        for (size_t n; (n = rtsp_parse(&p, data + at, end - at, &item)) > 0 && at < end;) {
            at += n;
            if (item.kind == RTSP_RESPONSE)
                check_round_trip(&item.message);
            if (at > end || item.kind == RTSP_ERROR ||
                (item.kind == RTSP_FRAME && item.payload + item.payload_len > data + end))
                return at > end ? __builtin_trap(), 0 : 0;
        }
        if (end == size)
            break;
    }
    return 0;
}
