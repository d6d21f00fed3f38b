#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/worker_message.h"
#include "base/err.h"
#include "base/mem.h"

static void requests_come_back_as_they_were(void **state)
{
    (void)state;
    struct worker_request in = {WORKER_PICTURE, CODEC_NONE, 77, 640, 110, 123456}, out;
    static const enum codec codecs[] = {CODEC_H264, CODEC_H265, CODEC_JPEG};
    uint8_t bytes[WORKER_REQUEST_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        in.codec = codecs[i];
        worker_request_print(&in, bytes);
        assert_int_equal(worker_request_parse(bytes, &out), 0);
        assert_int_equal(out.codec, in.codec);
    }
    assert_int_equal(out.kind, in.kind);
    assert_int_equal(out.id, in.id);
    assert_int_equal(out.width, in.width);
    assert_int_equal(out.config_size, in.config_size);
    assert_int_equal(out.payload_size, in.payload_size);
}

static void requests_beyond_a_bound_are_refused(void **state)
{
    (void)state;
    const struct worker_request bad[] = {
        {WORKER_PICTURE, CODEC_H264, 1, 16385, 10, 10},
        {WORKER_PICTURE, CODEC_H264, 1, 0, FORMAT_CONFIG_MAX_BYTES + 1, 10},
        {WORKER_GRID, CODEC_H264, 1, 0, 10, PACKET_MAX_BYTES + 1},
        {WORKER_GRID, CODEC_AAC, 1, 0, 10, 10},
        {(enum worker_kind)3, CODEC_H264, 1, 0, 10, 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t bytes[WORKER_REQUEST_BYTES];
        struct worker_request out;
        worker_request_print(&bad[i], bytes);
        assert_int_equal(worker_request_parse(bytes, &out), ERR_PARSE);
    }
}

static void replies_come_back_as_they_were(void **state)
{
    (void)state;
    struct worker_reply in = {WORKER_GRID, 77, true, 4804}, out;
    uint8_t bytes[WORKER_REPLY_BYTES];
    worker_reply_print(&in, bytes);
    assert_int_equal(worker_reply_parse(bytes, &out), 0);
    assert_int_equal(out.kind, in.kind);
    assert_int_equal(out.id, in.id);
    assert_true(out.is_ok);
    assert_int_equal(out.size, in.size);
    in.size = WORKER_REPLY_MAX_BYTES + 1;
    worker_reply_print(&in, bytes);
    assert_int_equal(worker_reply_parse(bytes, &out), ERR_PARSE);
    in = (struct worker_reply){WORKER_GRID, 77, false, 1};
    worker_reply_print(&in, bytes);
    assert_int_equal(worker_reply_parse(bytes, &out), ERR_PARSE);
}

static void grids_come_back_as_they_were(void **state)
{
    (void)state;
    static struct luma_grid in = {.cols = 3, .rows = 2, .mean = {1, 256, 65280, 4, 5, 6}}, out;
    struct buf bytes;
    buf_init(&bytes, 0);
    worker_grid_print(&in, &bytes);
    assert_int_equal(worker_grid_parse(bytes.data, bytes.len, &out), 0);
    assert_int_equal(out.cols, 3);
    assert_int_equal(out.rows, 2);
    assert_memory_equal(out.mean, in.mean, 6 * sizeof in.mean[0]);
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_equal(worker_grid_parse(bytes.data, n, &out), ERR_PARSE);
    bytes.data[0] = 0xff; /* far more columns than there is */
    assert_int_equal(worker_grid_parse(bytes.data, bytes.len, &out), ERR_PARSE);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_back_as_they_were),
        cmocka_unit_test(requests_beyond_a_bound_are_refused),
        cmocka_unit_test(replies_come_back_as_they_were),
        cmocka_unit_test(grids_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
