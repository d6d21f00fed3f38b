/* What rookery-remux and the server say to each other: what parses must print and parse the same.
 */
#include <assert.h>

#include "ingest/remux_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rtsp_message *take(const uint8_t *data, size_t size, struct rtsp_item *item)
{
    struct rtsp_parser parser;
    rtsp_parser_init(&parser);
    return rtsp_parse(&parser, data, size, item) > 0 && item->kind == RTSP_REQUEST ? &item->message
                                                                                   : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtsp_item item;
    struct remux_job job, job2;
    struct remux_end end, end2;
    struct buf b;
    const struct rtsp_message *m = take(data, size, &item);
    if (!m)
        return 0;
    buf_init(&b, 0);
    bool is_job = remux_job_parse(m, &job) == 0;
    bool is_end = remux_end_parse(m, &end) == 0;
    if (is_job)
        remux_job_print(&job, &b);
    else if (is_end)
        remux_end_print(&end, 1, &b);
    if (is_job || is_end) {
        m = take(b.data, b.len, &item);
        assert(m);
        assert(!is_job || (remux_job_parse(m, &job2) == 0 && !strcmp(job.address, job2.address) &&
                           job.open_ms == job2.open_ms));
        assert(!is_end || (remux_end_parse(m, &end2) == 0 && end.cause == end2.cause));
    }
    buf_fini(&b);
    return 0;
}
