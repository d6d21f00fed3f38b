/* What parses must print to the same bytes. */
#include <string.h>

#include "analysis/worker_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct luma_grid grid;
    struct worker_request req;
    struct worker_reply reply;
    uint8_t head[WORKER_REQUEST_BYTES];
    if (size >= WORKER_REQUEST_BYTES && worker_request_parse(data, &req) == 0) {
        worker_request_print(&req, head);
        if (memcmp(head, data, WORKER_REQUEST_BYTES) != 0)
            __builtin_trap();
    }
    if (size >= WORKER_REPLY_BYTES && worker_reply_parse(data, &reply) == 0) {
        worker_reply_print(&reply, head);
        if (memcmp(head, data, WORKER_REPLY_BYTES) != 0)
            __builtin_trap();
    }
    if (worker_grid_parse(data, size, &grid) == 0) {
        struct buf out;
        buf_init(&out, 0);
        worker_grid_print(&grid, &out);
        if (out.len != size || memcmp(out.data, data, size) != 0)
            __builtin_trap();
        buf_fini(&out);
    }
    return 0;
}
