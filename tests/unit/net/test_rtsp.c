#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/rtsp.h"

/* Parses everything at once and writes one word per item: "F0:12 R200 Q4 S7 E". */
static void trace(const void *data, size_t len, size_t step, char *dst, size_t cap)
{
    struct rtsp_parser p;
    struct rtsp_item *item = xcalloc(1, sizeof *item);
    rtsp_parser_init(&p);
    struct buf out;
    buf_init(&out, 0);
    size_t at = 0;
    size_t end = 0;
    bool is_over = false;
    size_t n_lost = 0;
    while (!is_over && end < len) {
        end = MIN(end + step, len);
        size_t n;
        while (!is_over && (n = rtsp_parse(&p, (const uint8_t *)data + at, end - at, item)) > 0) {
            assert_true(n <= end - at);
            at += n;
            if (item->kind != RTSP_SKIPPED && n_lost > 0) {
                buf_printf(&out, "S%zu ", n_lost);
                n_lost = 0;
            }
            switch (item->kind) {
            case RTSP_NONE:
                break;
            case RTSP_FRAME:
                buf_printf(&out, "F%d:%zu ", item->channel, item->payload_len);
                break;
            case RTSP_REQUEST:
                buf_printf(&out, "Q%s:%lld ", rtsp_method_name(item->message.method),
                           (long long)item->message.cseq);
                break;
            case RTSP_RESPONSE:
                buf_printf(&out, "R%d:%lld", item->message.status, (long long)item->message.cseq);
                if (item->message.body.n > 0)
                    buf_printf(&out, "+%zu", item->message.body.n);
                buf_puts(&out, " ");
                break;
            case RTSP_SKIPPED:
                n_lost += item->n_skipped;
                break;
            case RTSP_ERROR:
                buf_printf(&out, "E%d ", item->code);
                is_over = true;
                break;
            }
        }
    }
    if (n_lost > 0)
        buf_printf(&out, "S%zu ", n_lost);
    if (!is_over && at < len)
        buf_printf(&out, "+%zu ", len - at);
    if (out.len > 0)
        out.len--;
    str_copy(dst, cap, buf_cstr(&out));
    buf_fini(&out);
    FREE(&item);
}

#define FRAME0 "$\0\0\014\200\140\0\1abcdefgh"
#define FRAME1 "$\1\0\010\200\310\0\1abcd"

static const struct {
    const char *name;
    const char *data;
    size_t len;
    const char *want;
} cases[] = {
#define CASE(name, text, want)                                                                     \
    {                                                                                              \
        name, text, sizeof(text) - 1, want                                                         \
    }
    CASE("plain reply", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "R200:1"),
    CASE("no reason", "RTSP/1.0 200\r\nCSeq: 1\r\n\r\n", "R200:1"),
    CASE("blank reason", "RTSP/1.0 200 \r\nCSeq: 1 \r\n\r\n", "R200:1"),
    CASE("LF only", "RTSP/1.0 200 OK\nCseq:\t 7\n\n", "R200:7"),
    CASE("no cseq", "RTSP/1.0 404 Not Found\r\n\r\n", "R404:-1"),
    CASE("blank lines between", "\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n\r\n\n" FRAME0,
         "R200:1 F0:12"),
    CASE("frames", FRAME0 FRAME1 FRAME0, "F0:12 F1:8 F0:12"),
    CASE("reply between frames (I3)", FRAME0 "RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n" FRAME1,
         "F0:12 R200:4 F1:8"),
    CASE("request of the server", "OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 9\r\n\r\n", "QOPTIONS:9"),
    CASE("blank in uri", "PLAY rtsp://h/a b RTSP/1.0\r\nCSeq: 9\r\n\r\n", "QPLAY:9"),
    CASE("unknown method", "FOO rtsp://h/ RTSP/1.0\r\nCSeq: 9\r\n\r\n", "Q?:9"),
    CASE("body", "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n" FRAME0,
         "R200:1+5 F0:12"),
    CASE("empty line before body, counted",
         "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 7\r\n\r\n\r\nv=0\r\n" FRAME0,
         "R200:1+5 F0:12"),
    CASE("empty line before body, not counted",
         "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\n\r\nv=0\r\n" FRAME0,
         "R200:1+3 F0:12"),
    CASE("body announced and not sent (F4)",
         FRAME0
         "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 37\r\n\r\n" FRAME0 FRAME0 FRAME0 FRAME0,
         "F0:12 R200:1 F0:12 F0:12 F0:12 F0:12"),
    CASE("garbage between frames (I2)", FRAME0 "\x61\x20\xeb garbage" FRAME0 FRAME0,
         "F0:12 S11 F0:12 F0:12"),
    CASE("*frame cut short (I1)", FRAME1 "$\0\0\014\200\140\0\1ab" FRAME0 FRAME0 FRAME0,
         "F1:8 S10 F0:12 F0:12 F0:12"),
    CASE("*frame cut short, the rest is not here yet (I1)",
         "$\0\0\014\200\140\0\1ab$\0\0\014\200\140\0\1ab", "+20"),
    CASE("*frame cut behind its head (I1)", "$\0\0\014" FRAME0 FRAME0, "S4 F0:12 F0:12"),
    CASE("*reply written into a frame (I3)",
         FRAME0 "$\0\0\014\200\140\0\1RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\nabcdefgh" FRAME0 FRAME0,
         "F0:12 S8 R200:4 S8 F0:12 F0:12"),
    CASE("frame repeated (I1)", FRAME0 FRAME0, "F0:12 F0:12"),
    CASE("*garbage with a dollar", FRAME0 "x$\0\0\014\200" FRAME0 FRAME0 FRAME1,
         "F0:12 S6 F0:12 F0:12 F1:8"),
    CASE("garbage before a reply", "\xff\xfe\xfdRTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n", "S3 R200:2"),
    CASE("binary in a header", "RTSP/1.0 200 OK\r\nCS$\0\0\014\200\140\0\1abcdefgh" FRAME0,
         "S19 F0:12 F0:12"),
    CASE("zero-length frame (I8)", "$\0\0\0" FRAME0, "F0:12"),
    CASE("runt frame (I8)", "$\1\0\2ab" FRAME0, "F0:12"),
    CASE("unwanted channel in step (P5)", "$\017\0\014\200\140\0\1abcdefgh" FRAME0, "F15:12 F0:12"),
    CASE("impossible channel (I1)", "$\x61\x20\xeb\200aaaaaaaaaaa" FRAME0, "S16 F0:12"),
    CASE("peer speaks HTTP", "HTTP/1.0 400 Bad Request\r\n\r\n", "E-5008"),
    CASE("silly body length", "RTSP/1.0 200 OK\r\nContent-Length: 70000\r\n\r\n", "E-5002"),
    CASE("unfinished", FRAME0 "$\0\0\014\200\140\0\1abc", "F0:12 +11"),
    CASE("unfinished header", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n", "+26"),
    CASE("bad status", "RTSP/1.0 abc\r\n\r\n" FRAME0, "S16 F0:12"),
};

static void parses_what_cameras_send(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[256];
        trace(cases[i].data, cases[i].len, SIZE_MAX / 2, got, sizeof got);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: got '%s', want '%s'", cases[i].name, got, cases[i].want);
    }
}

/* What follows a loss decides about the first frame after it, and a body's end is guessed from what
 * is there: all else must not depend on how the bytes were cut. */
static void does_not_care_how_bytes_arrive(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 9 && cases[i].name[0] != '*'; step++) {
            char got[256];
            trace(cases[i].data, cases[i].len, step, got, sizeof got);
            if (strcmp(got, cases[i].want) != 0)
                fail_msg("%s in steps of %zu: got '%s', want '%s'", cases[i].name, step, got,
                         cases[i].want);
        }
    }
}

static void parse_one(const char *text, struct rtsp_item *item)
{
    struct rtsp_parser p;
    rtsp_parser_init(&p);
    assert_int_equal(rtsp_parse(&p, (const uint8_t *)text, strlen(text), item), strlen(text));
}

static void finds_headers_in_any_case(void **state)
{
    (void)state;
    struct rtsp_item item;
    struct span v;
    parse_one("RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nwww-authenticate: Digest realm=\"a:b\"\r\n"
              "WWW-Authenticate:Basic\r\nSession:        708345999;timeout=60\r\nX: \r\n\r\n",
              &item);
    size_t pos = 0;
    assert_true(rtsp_get_next(&item.message, "WWW-Authenticate", &pos, &v));
    assert_true(span_eq(v, "Digest realm=\"a:b\""));
    assert_true(rtsp_get_next(&item.message, "WWW-Authenticate", &pos, &v));
    assert_true(span_eq(v, "Basic"));
    assert_false(rtsp_get_next(&item.message, "WWW-Authenticate", &pos, &v));
    assert_true(rtsp_get(&item.message, "session", &v));
    assert_true(span_eq(v, "708345999;timeout=60"));
    assert_true(rtsp_get(&item.message, "x", &v));
    assert_int_equal(v.n, 0);
    assert_true(span_eq(item.message.reason, "Unauthorized"));
}

static void takes_a_short_description_whole_when_told(void **state)
{
    (void)state;
    static const char text[] = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 99\r\n\r\nv=0\r\nm=";
    struct rtsp_parser p;
    struct rtsp_item item;
    rtsp_parser_init(&p);
    assert_int_equal(rtsp_parse(&p, (const uint8_t *)text, sizeof text - 1, &item), 0);
    rtsp_parser_take_partial(&p);
    assert_int_equal(rtsp_parse(&p, (const uint8_t *)text, sizeof text - 1, &item),
                     sizeof text - 1);
    assert_int_equal(item.kind, RTSP_RESPONSE);
    assert_true(span_eq(item.message.body, "v=0\r\nm="));
}

static void F4_extends_a_description_cut_by_its_length(void **state)
{
    (void)state;
    static const char text[] = "RTSP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nv=0\r\nm=video\r\n"
                               "RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n";
    char got[64];
    trace(text, sizeof text - 1, SIZE_MAX / 2, got, sizeof got);
    assert_string_equal(got, "R200:-1+14 R200:3");
}

static void F4_refuses_an_endless_header(void **state)
{
    (void)state;
    size_t n = RTSP_HEADER_MAX_BYTES + 10;
    char *text = xmalloc(n);
    memset(text, 'a', n);
    memcpy(text, "RTSP/1.0 200 OK\r\n", 17);
    char got[64];
    trace(text, n, 1000, got, sizeof got);
    assert_string_equal(got, "E-5002");
    FREE(&text);
}

static void counts_losses_and_runts(void **state)
{
    (void)state;
    static const char text[] = "xx" FRAME0 "$\0\0\1a" FRAME0 "yyy" FRAME0 FRAME0;
    struct rtsp_parser p;
    struct rtsp_item item;
    rtsp_parser_init(&p);
    int n_new = 0;
    for (size_t at = 0, n;
         (n = rtsp_parse(&p, (const uint8_t *)text + at, sizeof text - 1 - at, &item)) > 0; at += n)
        n_new += item.kind == RTSP_SKIPPED && item.is_new_loss;
    assert_int_equal(n_new, 2);
    assert_int_equal(p.n_losses, 2);
    assert_int_equal(p.n_skipped_bytes, 5);
    assert_int_equal(p.n_runts, 1);
}

static void looks_only_for_channels_that_were_set_up(void **state)
{
    (void)state;
    static const char text[] = "x$\2\0\014\200\140\0\1abcdefgh$\10\0\014\200\140\0\1abcdefgh";
    struct rtsp_parser p;
    struct rtsp_item item;
    rtsp_parser_init(&p);
    rtsp_parser_only_channels(&p, (const uint8_t[]){8, 9}, 2);
    size_t n = rtsp_parse(&p, (const uint8_t *)text, sizeof text - 1, &item);
    assert_int_equal(item.kind, RTSP_SKIPPED);
    assert_int_equal(n, 17);
    assert_int_equal(rtsp_parse(&p, (const uint8_t *)text + n, sizeof text - 1 - n, &item), 16);
    assert_int_equal(item.channel, 8);
}

static void prints_what_it_parses(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    rtsp_request_begin(&b, RTSP_SETUP, "rtsp://h/track1", 3, NULL);
    rtsp_put(&b, "Session", "%s", "12\r\nX-Evil: 1");
    rtsp_end(&b, NULL, NULL, 0);
    assert_string_equal(buf_cstr(&b), "SETUP rtsp://h/track1 RTSP/1.0\r\nCSeq: 3\r\n"
                                      "User-Agent: Rookery\r\nSession: 12  X-Evil: 1\r\n\r\n");
    buf_clear(&b);
    rtsp_response_begin(&b, 200, NULL, 5, "cam");
    rtsp_end(&b, "application/sdp", "v=0\r\n", 5);
    struct rtsp_item item;
    parse_one(buf_cstr(&b), &item);
    assert_int_equal(item.message.status, 200);
    assert_int_equal(item.message.cseq, 5);
    assert_true(span_eq(item.message.body, "v=0\r\n"));
    struct span v;
    assert_true(rtsp_get(&item.message, "content-type", &v));
    assert_true(span_eq(v, "application/sdp"));
    buf_fini(&b);
}

static const struct {
    const char *in;
    const char *out; /* printed again; NULL = not RTP */
} transports[] = {
    {"RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=0-1"},
    {"RTP/AVP;unicast;interleaved=8-9", "RTP/AVP/TCP;unicast;interleaved=8-9"},
    {"RTP/AVP/TCP;interleaved=4", "RTP/AVP/TCP;unicast;interleaved=4-5"},
    {"RTP/AVP/TCP;unicast", "RTP/AVP/TCP;unicast"},
    {"RTP/AVP/TCP;unicast;interleaved=300-301", "RTP/AVP/TCP;unicast"},
    {"RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;ssrc= d6d6627;mode=\"PLAY\"",
     "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;ssrc=0D6D6627"},
    {"RTP/AVP/UDP; unicast; client_port=5000 ; source= ;ssrc=1449463210",
     "RTP/AVP;unicast;client_port=5000-5001"},
    {"RTP/AVP;multicast;destination=225.0.0.1;port=7000-7001;ttl=127",
     "RTP/AVP;multicast;destination=225.0.0.1;port=7000-7001;ttl=127"},
    {"MP2T/H2221/UDP;unicast, RTP/AVP;unicast;client_port=2-3", "RTP/AVP;unicast;client_port=2-3"},
    {"RAW/RAW/UDP;unicast", NULL},
    {"", NULL},
};

static void P1_P2_P3_P8_reads_transport_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
        struct rtsp_transport t;
        struct span list = span_of(transports[i].in);
        if (!transports[i].out) {
            assert_false(rtsp_transport_next(&list, &t));
            continue;
        }
        assert_true(rtsp_transport_next(&list, &t));
        struct buf b;
        buf_init(&b, 0);
        rtsp_transport_print(&t, &b);
        assert_string_equal(buf_cstr(&b), transports[i].out);
        buf_fini(&b);
    }
}

static void reads_session_headers(void **state)
{
    (void)state;
    struct rtsp_session s;
    rtsp_session_parse(span_of("  12345 ; timeout=15"), &s);
    assert_string_equal(s.id, "12345");
    assert_int_equal(s.timeout_s, 15);
    rtsp_session_parse(span_of("abc"), &s);
    assert_string_equal(s.id, "abc");
    assert_int_equal(s.timeout_s, 0);
    rtsp_session_parse(span_of(";timeout=0"), &s);
    assert_string_equal(s.id, "");
    assert_int_equal(s.timeout_s, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_what_cameras_send),
        cmocka_unit_test(does_not_care_how_bytes_arrive),
        cmocka_unit_test(finds_headers_in_any_case),
        cmocka_unit_test(takes_a_short_description_whole_when_told),
        cmocka_unit_test(F4_extends_a_description_cut_by_its_length),
        cmocka_unit_test(F4_refuses_an_endless_header),
        cmocka_unit_test(counts_losses_and_runts),
        cmocka_unit_test(looks_only_for_channels_that_were_set_up),
        cmocka_unit_test(prints_what_it_parses),
        cmocka_unit_test(P1_P2_P3_P8_reads_transport_headers),
        cmocka_unit_test(reads_session_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
