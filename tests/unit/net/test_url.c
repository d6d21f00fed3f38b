#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/url.h"

static const struct {
    const char *text;
    const char *plain; /* url_print; NULL = refused */
    const char *user, *password;
} urls[] = {
    {"rtsp://10.0.0.1/live", "rtsp://10.0.0.1/live", "", ""},
    {" RTSP://cam.local:8554/a?b=c&d ", "rtsp://cam.local:8554/a?b=c&d", "", ""},
    {"rtsp://10.0.0.1:554", "rtsp://10.0.0.1:554", "", ""},
    {"rtsps://10.0.0.1/x", "rtsps://10.0.0.1/x", "", ""},
    {"rtsph://10.0.0.1/x?a", "rtsph://10.0.0.1/x?a", "", ""},
    {"RTSPSH://a:b@[::1]:8443/x", "rtspsh://[::1]:8443/x", "a", "b"},
    {"rtsp+http://u:p/w@10.0.0.1/x", "rtsph://10.0.0.1/x", "u", "p/w"},
    {"rtsp+https://10.0.0.1:443/x", "rtspsh://10.0.0.1:443/x", "", ""},
    {"rtsp://[fe80::1%eth0]:555/x", "rtsp://[fe80::1%eth0]:555/x", "", ""},
    {"rtsp://[::1]", "rtsp://[::1]", "", ""},
    {"rtsp://10.0.0.1?x=1", "rtsp://10.0.0.1?x=1", "", ""},
    {"rtsp://10.0.0.1:/x", "rtsp://10.0.0.1/x", "", ""},
    {"rtsp://admin:12345@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", "12345"},
    {"rtsp://admin@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", ""},
    {"rtsp://admin:@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", ""},
    {"rtsp://admin:Ky@123456@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", "Ky@123456"},
    {"rtsp://admin:a:b#c@10.0.0.1:554/s", "rtsp://10.0.0.1:554/s", "admin", "a:b#c"},
    {"rtsp://admin:100%25%40x@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", "100%@x"},
    {"rtsp://admin:50%@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", "50%"},
    {"rtsp://admin:a%zzb@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", "a%zzb"},
    {"rtsp://admin:pa/ss@10.0.0.1:554/s", "rtsp://10.0.0.1:554/s", "admin", "pa/ss"},
    {"rtsp://admin:p@ss/w#rd@10.0.0.1/s", "rtsp://10.0.0.1/s", "admin", "p@ss/w#rd"},
    {"rtsp://admin:pa/ss@cam/s?u=a@b", "rtsp://cam/s?u=a@b", "admin", "pa/ss"},
    {"rtsp://10.0.0.1/s?u=a@b", "rtsp://10.0.0.1/s?u=a@b", "", ""},
    {"rtsp://10.0.0.1/s@main", "rtsp://10.0.0.1/s@main", "", ""},
    {"rtsp://u:p@10.0.0.1/s@main", "rtsp://10.0.0.1/s@main", "u", "p"},
    {"rtsp://proxy:8554/rtsp://u:p@10.0.0.1/s", "rtsp://proxy:8554/rtsp://u:p@10.0.0.1/s", "", ""},
    {"http://10.0.0.1/", NULL, "", ""},
    {"rtsphs://10.0.0.1/", NULL, "", ""},
    {"rtsp+ftp://10.0.0.1/", NULL, "", ""},
    {"10.0.0.1", NULL, "", ""},
    {"", NULL, "", ""},
    {"rtsp://", NULL, "", ""},
    {"rtsp:///x", NULL, "", ""},
    {"rtsp://h:70000/", NULL, "", ""},
    {"rtsp://h:0/", NULL, "", ""},
    {"rtsp://h:8a/", NULL, "", ""},
    {"rtsp://[::1/", NULL, "", ""},
    {"rtsp://[::1]x/", NULL, "", ""},
    {"rtsp://a b/", NULL, "", ""},
    {"rtsp://h/a\nb", NULL, "", ""},
};

static void U13_L8_reads_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct url u;
        struct err err = {0};
        char text[URL_TEXT_BYTES];
        int rc = url_parse(urls[i].text, &u, &err);
        if ((rc == 0) != (urls[i].plain != NULL))
            fail_msg("%s: %d %s", urls[i].text, rc, err.msg);
        if (rc < 0)
            continue;
        assert_true(url_print(&u, text, sizeof text));
        assert_string_equal(text, urls[i].plain);
        assert_string_equal(u.user, urls[i].user);
        assert_string_equal(u.password, urls[i].password);
        struct url again;
        assert_true(url_print_full(&u, text, sizeof text));
        assert_int_equal(url_parse(text, &again, NULL), 0);
        assert_memory_equal(&again, &u, sizeof u);
    }
}

static void knows_the_ports(void **state)
{
    (void)state;
    struct url u;
    assert_int_equal(url_parse("rtsp://h/", &u, NULL), 0);
    assert_true(u.port == 554 && !u.has_port);
    assert_int_equal(url_parse("rtsps://h/", &u, NULL), 0);
    assert_true(u.port == 322 && u.is_tls && !u.is_tunnel);
    assert_int_equal(url_parse("rtsph://h/", &u, NULL), 0);
    assert_true(u.port == 80 && !u.is_tls && u.is_tunnel);
    assert_int_equal(url_parse("rtspsh://h/", &u, NULL), 0);
    assert_true(u.port == 443 && u.is_tls && u.is_tunnel);
    assert_int_equal(url_parse("rtsp://[::1]:1/", &u, NULL), 0);
    assert_true(u.port == 1 && u.has_port);
    assert_string_equal(u.host, "::1");
}

static void names_the_camera_and_not_the_tunnel_in_requests(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"rtsp://u:p@h/x?a", "rtsp://h/x?a", "rtsp://h/t"},
        {"rtsps://h:8322/x", "rtsps://h:8322/x", "rtsps://h:8322/t"},
        {"rtsph://u:p@h/x", "rtsp://h/x", "rtsp://h/t"},
        {"rtsph://h:8080/x", "rtsp://h:8080/x", "rtsp://h:8080/t"},
        {"rtspsh://h/x", "rtsp://h/x", "rtsp://h/t"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url u;
        char text[URL_TEXT_BYTES];
        assert_int_equal(url_parse(cases[i][0], &u, NULL), 0);
        assert_true(url_print_request(&u, text, sizeof text));
        assert_string_equal(text, cases[i][1]);
        assert_true(url_base(&u, span_of("rtsp://10.9.9.9/t"), span_of(""), text, sizeof text));
        assert_string_equal(text, cases[i][2]);
    }
}

static void L7_reads_the_channel_of_a_recorder(void **state)
{
    static const struct {
        const char *text;
        int channel;
    } cases[] = {
        {"rtsp://h/Streaming/Channels/301", 3},
        {"rtsp://h/streaming/channels/1202?transportmode=unicast", 12},
        {"rtsp://h/Streaming/Channels/1", 1},
        {"rtsp://h/cam/realmonitor?channel=7&subtype=0", 7},
        {"rtsp://h/unicast/c16/s0/live", 16},
        {"rtsp://h/h264/ch33/main/av_stream", 33},
        {"rtsp://h/live?ch=2", 2},
        {"rtsp://h/tcp/av0_0", 0},
        {"rtsp://h/channels/x?channel=", 0},
        {"rtsp://h", 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url u;
        assert_int_equal(url_parse(cases[i].text, &u, NULL), 0);
        if (url_channel(&u) != cases[i].channel)
            fail_msg("%s: channel %d", cases[i].text, url_channel(&u));
    }
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    char text[4000] = "rtsp://u:";
    struct url u;
    struct err err = {0};
    size_t n = strlen(text);
    memset(text + n, 'p', 200);
    memcpy(text + n + 200, "@h/", 4);
    assert_int_equal(url_parse(text, &u, &err), ERR_TOO_BIG);
    assert_null(strstr(err.msg, "ppp"));
    memset(text, 'a', 3000);
    memcpy(text, "rtsp://h/", 9);
    text[3000] = 0;
    assert_int_equal(url_parse(text, &u, NULL), ERR_TOO_BIG);
    assert_int_equal(url_parse("rtsp://h/x", &u, NULL), 0);
    assert_false(url_print(&u, text, 5));
    assert_string_equal(text, "");
}

static void reads_foreign_addresses_where_they_are_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *host;
        int port;
        const char *plain;
    } good[] = {
        {"rtmp://u:p@h/live/key", "rtmp", "h", 1935, "rtmp://h/live/key"},
        {"RTMPS://h:444/live/key", "rtmps", "h", 444, "rtmps://h:444/live/key"},
        {"http://u:p@h/a.flv?x=1", "http", "h", 80, "http://h/a.flv?x=1"},
        {"https://[::1]/a.m3u8", "https", "::1", 443, "https://[::1]/a.m3u8"},
        {"udp://@239.0.0.1:1234", "udp", "239.0.0.1", 1234, "udp://239.0.0.1:1234"},
        {"udp://@:1234?fifo_size=9", "udp", "", 1234, "udp://:1234?fifo_size=9"},
        {"udp://:1234", "udp", "", 1234, "udp://:1234"},
        {"srt://h:9000?mode=caller", "srt", "h", 9000, "srt://h:9000?mode=caller"},
        {"rtsp://h/x", "", "h", 554, "rtsp://h/x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct url u;
        char text[URL_TEXT_BYTES];
        assert_int_equal(url_parse_any(good[i].text, &u, NULL), 0);
        assert_string_equal(u.foreign, good[i].scheme);
        assert_string_equal(u.host, good[i].host);
        assert_int_equal(u.port, good[i].port);
        assert_true(url_print(&u, text, sizeof text));
        assert_string_equal(text, good[i].plain);
        if (good[i].scheme[0])
            assert_int_equal(url_parse(good[i].text, &u, NULL), ERR_UNSUPPORTED);
    }
    static const char *const bad[] = {
        "file:///etc/passwd", "file://h/x",     "concat:/a|/b",
        "data:text/plain,x",  "ftp://h/x",      "udp://h",
        "srt://h/x",          "udp://",         "http://",
        "http://:80/x",       "rtmp://:1935/x", "udp://:0",
        "udp://:99999",       "/dev/video0",    "pipe:0",
        "http://h:x/",        "http://h\nx/y",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct url u;
        assert_true(url_parse_any(bad[i], &u, NULL) < 0);
    }
}

static void hides_credentials(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"rtsp://admin:secret@10.0.0.1/s", "rtsp://***@10.0.0.1/s"},
        {"rtsp://10.0.0.1/s", "rtsp://10.0.0.1/s"},
        {"rtsp://admin:sec@ret@cam 1/s", "rtsp://***@cam 1/s"},
        {"http://admin:secret@10.0.0.1/s", "http://***@10.0.0.1/s"},
        {"admin:secret@10.0.0.1", "***@10.0.0.1"},
        {"rtsp://h/user=admin&password=secret&channel=1.sdp?real_stream",
         "rtsp://h/user=admin&password=***&channel=1.sdp?real_stream"},
        {"rtsp://h/s?token=abc&x=1", "rtsp://h/s?token=***&x=1"},
        {"rtspsh://admin:secret@10.0.0.1/s", "rtspsh://***@10.0.0.1/s"},
        {"rtsp+http://admin:secret@10.0.0.1/s", "rtsph://***@10.0.0.1/s"},
        {"nonsense", "nonsense"},
        {"rtmp://u:p@10.0.0.1/live/s3cret?a=b", "rtmp://***@10.0.0.1/live/***?***"},
        {"rtmps://h/live", "rtmps://h/live"},
        {"https://h/live/a.m3u8?sign=abc", "https://h/live/a.m3u8?***"},
        {"srt://h:9000?passphrase=abc&streamid=x", "srt://h:9000?***"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        assert_string_equal(url_redact(cases[i][0], text, sizeof text), cases[i][1]);
    }
    char tiny[8];
    assert_string_equal(url_redact("rtsp://admin:secret@10.0.0.1/s", tiny, sizeof tiny), "rtsp://");
}

static const struct {
    const char *base, *location, *want;
} bases[] = {
    {"rtsp://192.168.1.9:554/x/", "", "rtsp://pub:8554/x/"},
    {"rtsp://192.168.1.9:554/cam/realmonitor?channel=1&proto=Onvif/", "",
     "rtsp://pub:8554/cam/realmonitor?channel=1&proto=Onvif/"},
    {"", "rtsp://a/y", "rtsp://pub:8554/y"},
    {"", "", "rtsp://pub:8554/live?a=1"},
    {"192.168.1.10:554/stream0/", "", "rtsp://pub:8554/stream0/"},
    {"rtsp://rtsp://host:554/z", "", "rtsp://pub:8554/z"},
    {"rtsp://::ffff:192.168.1.123/onvif/1", "", "rtsp://pub:8554/onvif/1"},
    {"/relative", "", "rtsp://pub:8554/relative"},
    {"garbage", "", "rtsp://pub:8554/live?a=1"},
    {"rtsp://bad host/x", "rtsp://h/y", "rtsp://pub:8554/y"},
    {"http://h/x", "", "rtsp://pub:8554/live?a=1"},
    {"\"rtsp://h/q/\"", "", "rtsp://pub:8554/q/"},
};

static void U5_repairs_the_base(void **state)
{
    (void)state;
    struct url origin;
    assert_int_equal(url_parse("rtsp://u:p@pub:8554/live?a=1", &origin, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        char text[URL_TEXT_BYTES];
        assert_true(url_base(&origin, span_of(bases[i].base), span_of(bases[i].location), text,
                             sizeof text));
        assert_string_equal(text, bases[i].want);
    }
}

static const struct {
    const char *base, *control, *want, *before_query;
} joins[] = {
    {"rtsp://h/tcp/av0_0", "track0", "rtsp://h/tcp/av0_0/track0", NULL},
    {"rtsp://h/x/", "trackID=1", "rtsp://h/x/trackID=1", NULL},
    {"rtsp://h/x/", "/trackID=1", "rtsp://h/x/trackID=1", NULL},
    {"rtsp://h/x", "/trackID=1", "rtsp://h/x/trackID=1", NULL},
    {"rtsp://h/c?channel=1&proto=Onvif/", "trackID=0", "rtsp://h/c?channel=1&proto=Onvif/trackID=0",
     "rtsp://h/c/trackID=0?channel=1&proto=Onvif/"},
    {"rtsp://h/c?ch=1", "t0", "rtsp://h/c?ch=1/t0", "rtsp://h/c/t0?ch=1"},
    {"rtsp://h/x", "", "rtsp://h/x", NULL},
    {"rtsp://h/x", "*", "rtsp://h/x", NULL},
    {"rtsp://h/x", "rtsp://192.168.1.98/media/video1/video", "rtsp://pub:8554/media/video1/video",
     NULL},
    {"rtsp://h/x", "rtsp://192.168.1.98:554/m?a=1", "rtsp://pub:8554/m?a=1", NULL},
    {"rtsp://h/x", " track1 ", "rtsp://h/x/track1", NULL},
};

static void U1_U2_U4_joins_controls_as_text(void **state)
{
    (void)state;
    struct url origin;
    char text[URL_TEXT_BYTES];
    assert_int_equal(url_parse("rtsp://pub:8554/live", &origin, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
        struct span control = span_of(joins[i].control);
        assert_true(url_join_control(&origin, joins[i].base, control, text, sizeof text));
        assert_string_equal(text, joins[i].want);
        assert_true(
            url_join_control_before_query(&origin, joins[i].base, control, text, sizeof text));
        assert_string_equal(text, joins[i].before_query ? joins[i].before_query : joins[i].want);
    }
    assert_false(url_join_control(&origin, "rtsp://h/x", span_of("a b\r\n"), text, sizeof text));
    assert_false(url_join_control(&origin, "rtsp://h/x", span_of("track1"), text, 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_camera_and_not_the_tunnel_in_requests),
        cmocka_unit_test(U13_L8_reads_addresses),
        cmocka_unit_test(knows_the_ports),
        cmocka_unit_test(L7_reads_the_channel_of_a_recorder),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(reads_foreign_addresses_where_they_are_allowed),
        cmocka_unit_test(hides_credentials),
        cmocka_unit_test(U5_repairs_the_base),
        cmocka_unit_test(U1_U2_U4_joins_controls_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
