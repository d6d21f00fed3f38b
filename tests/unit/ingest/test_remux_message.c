#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "ingest/remux_message.h"

static struct rtsp_message reread(const struct buf *b)
{
    struct rtsp_parser parser;
    struct rtsp_item item;
    rtsp_parser_init(&parser);
    assert_int_equal(rtsp_parse(&parser, b->data, b->len, &item), b->len);
    assert_int_equal(item.kind, RTSP_REQUEST);
    return item.message;
}

static struct rtsp_message read_text(struct buf *b, const char *text)
{
    buf_clear(b);
    buf_puts(b, text);
    return reread(b);
}

static void a_job_is_read_as_it_was_printed(void **state)
{
    (void)state;
    struct buf b;
    struct remux_job job = {.address = "srt://u:%20p%40@10.0.0.7:9000?passphrase=a%20b&mode=caller",
                            .open_ms = 10000,
                            .silence_ms = 9000};
    struct remux_job back;
    buf_init(&b, 0);
    remux_job_print(&job, &b);
    struct rtsp_message m = reread(&b);
    assert_int_equal(remux_job_parse(&m, &back), 0);
    assert_string_equal(back.address, job.address);
    assert_int_equal(back.open_ms, 10000);
    assert_int_equal(back.silence_ms, 9000);
    buf_fini(&b);
}

static void a_job_without_address_or_times_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nOpen-Ms: 1\r\nSilence-Ms: 1\r\n\r\n",
        "SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nAddress: udp://:1\r\nSilence-Ms: 1\r\n\r\n",
        "SET_PARAMETER * RTSP/1.0\r\nAddress: udp://:1\r\nOpen-Ms: 0\r\nSilence-Ms: 1\r\n\r\n",
        "SET_PARAMETER * RTSP/1.0\r\nAddress: udp://:1\r\nOpen-Ms: 1\r\nSilence-Ms: -1\r\n\r\n",
        "SET_PARAMETER * RTSP/1.0\r\nAddress: udp://a\rb:1\r\nOpen-Ms: 1\r\nSilence-Ms: 1\r\n\r\n",
        "PLAY * RTSP/1.0\r\nAddress: udp://:1\r\nOpen-Ms: 1\r\nSilence-Ms: 1\r\n\r\n",
    };
    struct buf b;
    struct remux_job job;
    buf_init(&b, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rtsp_message m = read_text(&b, bad[i]);
        assert_int_equal(remux_job_parse(&m, &job), ERR_PARSE);
    }
    buf_fini(&b);
}

static void an_end_is_read_as_it_was_printed(void **state)
{
    (void)state;
    struct buf b;
    struct remux_end end;
    struct remux_end back;
    buf_init(&b, 0);
    for (int c = 0; c < CAUSE_COUNT; c++) {
        remux_end_set(&end, (enum stream_cause)c, "the server answered %d: %s", 404,
                      "nichts, 没有");
        buf_clear(&b);
        remux_end_print(&end, 9, &b);
        struct rtsp_message m = reread(&b);
        assert_int_equal(remux_end_parse(&m, &back), 0);
        assert_int_equal(back.cause, c < CAUSE_DNS ? CAUSE_INTERNAL : c);
        assert_string_equal(back.text, end.text);
    }
    buf_fini(&b);
}

static void a_goodbye_without_a_cause_is_none(void **state)
{
    (void)state;
    struct buf b;
    struct remux_end end;
    buf_init(&b, 0);
    struct rtsp_message m = read_text(&b, "TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    assert_int_equal(remux_end_parse(&m, &end), ERR_PARSE);
    m = read_text(&b, "TEARDOWN * RTSP/1.0\r\nCause: hunger\r\nReason: x\r\n\r\n");
    assert_int_equal(remux_end_parse(&m, &end), ERR_PARSE);
    m = read_text(&b, "TEARDOWN * RTSP/1.0\r\nCause: dns\r\nReason: \r\n\r\n");
    assert_int_equal(remux_end_parse(&m, &end), ERR_PARSE);
    buf_fini(&b);
}

static void a_long_reason_is_cut_between_characters(void **state)
{
    (void)state;
    struct buf b;
    struct remux_end end;
    buf_init(&b, 0);
    buf_puts(&b, "TEARDOWN * RTSP/1.0\r\nCause: dns\r\nReason: ab");
    for (int i = 0; i < 100; i++)
        buf_puts(&b, "没");
    buf_puts(&b, "\r\n\r\n");
    struct rtsp_message m = reread(&b);
    assert_int_equal(remux_end_parse(&m, &end), 0);
    assert_int_equal(strlen(end.text), 2 + 3 * ((sizeof end.text - 3) / 3));
    assert_true(str_is_utf8(end.text, strlen(end.text)));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_read_as_it_was_printed),
        cmocka_unit_test(a_job_without_address_or_times_is_refused),
        cmocka_unit_test(an_end_is_read_as_it_was_printed),
        cmocka_unit_test(a_goodbye_without_a_cause_is_none),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
