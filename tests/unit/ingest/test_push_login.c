#include "ingest/push_login.h"

#include "ingest/push_limit.h"
#include "net/url.h"
#include "rig.h"

#define SDP RIG_SDP_HEAD RIG_VIDEO

static struct push_camera camera(void)
{
    return (struct push_camera){.is_known = true,
                                .is_pushed = true,
                                .is_enabled = true,
                                .user = "cam-001",
                                .key = "k/e y+1"};
}

static const char *say(struct push_login *l, const char *start, const char *headers)
{
    char text[8192];
    buf_clear(&l->out);
    int n = snprintf(text, sizeof text, "%s RTSP/1.0\r\nCSeq: 7\r\n%sContent-Length: %zu\r\n\r\n%s",
                     start, headers, strlen(SDP), SDP);
    push_login_input(l, (const uint8_t *)text, (size_t)n);
    return buf_cstr(&l->out);
}

static void assert_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

/* The challenge of a scheme out of an answer. */
static struct auth_challenge challenge_in(const char *reply, enum auth_scheme scheme)
{
    struct auth_offers offers = {.n = 0};
    struct span rest = span_of(reply);
    struct span line;
    while (span_line(&rest, &line)) {
        struct span name;
        if (span_istarts(line, "WWW-Authenticate:") && span_cut(&line, ':', &name))
            auth_offers_add(&offers, span_trim(line));
    }
    for (size_t i = 0; i < offers.n; i++) {
        if (offers.list[i].scheme == scheme)
            return offers.list[i];
    }
    fail_msg("scheme %d is not offered in \"%s\"", scheme, reply);
    return (struct auth_challenge){0};
}

static void sign(struct push_login *l, enum auth_scheme scheme, const char *user, const char *key)
{
    static const char uri[] = "rtsp://h/cam-001";
    char value[AUTH_HEADER_BYTES];
    char header[AUTH_HEADER_BYTES + 32];
    struct auth a;
    struct auth_challenge c = challenge_in(buf_cstr(&l->out), scheme);
    auth_start(&a, &c);
    assert_true(auth_sign(&a, "ANNOUNCE", uri, user, key, span_of(SDP), value, sizeof value) > 0);
    snprintf(header, sizeof header, "Authorization: %s\r\n", value);
    say(l, "ANNOUNCE rtsp://h/cam-001", header);
}

static void lets_in_by_every_scheme(void **state)
{
    static const enum auth_scheme schemes[] = {AUTH_SHA256, AUTH_MD5, AUTH_BASIC};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct push_login l;
        struct push_camera cam = camera();
        push_login_init(&l);
        assert_part(say(&l, "OPTIONS rtsp://h/cam-001", ""), "Public: OPTIONS, ANNOUNCE, ");
        assert_part(say(&l, "ANNOUNCE rtsp://h/cam-001", ""), "RTSP/1.0 401 Unauthorized\r\n");
        assert_int_equal(l.state, PUSH_LOGIN_READING);
        sign(&l, schemes[i], "cam-001", cam.key);
        assert_int_equal(l.state, PUSH_LOGIN_ASKING);
        assert_string_equal(l.camera_id, "cam-001");
        assert_string_equal(l.stream, "main");
        assert_int_equal(push_login_check(&l, &cam), PUSH_WELCOME);
        assert_int_equal(l.state, PUSH_LOGIN_ADMITTED);
        /* The request is there for the session. */
        assert_memory_equal(l.in.data, "ANNOUNCE ", 9);
        push_login_fini(&l);
    }
}

static void lets_in_by_a_key_in_the_address(void **state)
{
    static const struct {
        const char *uri, *id, *stream;
        bool is_right;
    } table[] = {
        {"rtsp://h:8554/cam-001?key=k%2fe%20y+1", "cam-001", "main", true},
        {"rtsp://h/cam-001/?key=k%2fe%20y+1", "cam-001", "main", true},
        {"rtsp://h/cam-001/sub?a=b&key=k/e%20y%2B1&c", "cam-001", "sub", true},
        {"rtsp://h/cam-001?key=", "cam-001", "main", false},
        {"rtsp://h/cam-001?key=k/e%20y+12", "cam-001", "main", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char start[256];
        struct push_login l;
        struct push_camera cam = camera();
        snprintf(start, sizeof start, "ANNOUNCE %s", table[i].uri);
        push_login_init(&l);
        say(&l, start, "");
        assert_int_equal(l.state, PUSH_LOGIN_ASKING);
        assert_string_equal(l.camera_id, table[i].id);
        assert_string_equal(l.stream, table[i].stream);
        assert_int_equal(push_login_check(&l, &cam),
                         table[i].is_right ? PUSH_WELCOME : PUSH_WRONG_KEY);
        push_login_fini(&l);
    }
}

/* A wrong key, an unknown camera and one without a key answer alike. */
static void tells_nobody_which_cameras_there_are(void **state)
{
    char replies[3][4096];
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct push_login l;
        struct push_camera cam = camera();
        push_login_init(&l);
        say(&l, "ANNOUNCE rtsp://h/cam-001", "");
        if (i > 0)
            cam = (struct push_camera){0};
        if (i == 2)
            str_copy(cam.user, sizeof cam.user, "cam-001");
        sign(&l, AUTH_MD5, "cam-001", i == 2 ? "" : "wrong");
        buf_clear(&l.out);
        assert_int_equal(push_login_check(&l, &cam), PUSH_WRONG_KEY);
        str_copy(replies[i], sizeof replies[i], buf_cstr(&l.out));
        for (char *p = replies[i]; (p = strstr(p, l.nonce)) != NULL;)
            memset(p, 'n', strlen(l.nonce));
        push_login_fini(&l);
    }
    assert_part(replies[0], "RTSP/1.0 401 ");
    assert_string_equal(replies[0], replies[1]);
    assert_string_equal(replies[0], replies[2]);
}

static void says_why_a_right_key_does_not_help(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct push_login l;
        struct push_camera cam = camera();
        *(i == 0 ? &cam.is_pushed : &cam.is_enabled) = false;
        push_login_init(&l);
        say(&l, "ANNOUNCE rtsp://h/cam-001?key=k/e%20y+1", "");
        assert_int_equal(push_login_check(&l, &cam), PUSH_NOT_NOW);
        assert_int_equal(l.state, PUSH_LOGIN_CLOSED);
        assert_part(buf_cstr(&l.out), i == 0 ? "RTSP/1.0 403 This stream is pulled"
                                             : "RTSP/1.0 403 This camera is switched off");
        push_login_fini(&l);
    }
}

static void does_not_look_at_a_camera_that_is_not_known(void **state)
{
    struct push_login l;
    struct push_camera cam = camera();
    (void)state;
    cam.is_known = false;
    push_login_init(&l);
    say(&l, "ANNOUNCE rtsp://h/cam-001?key=k/e%20y+1", "");
    assert_int_equal(push_login_check(&l, &cam), PUSH_WRONG_KEY);
    push_login_fini(&l);
}

static void hangs_up_after_three_wrong_keys(void **state)
{
    struct push_login l;
    struct push_camera cam = camera();
    (void)state;
    push_login_init(&l);
    say(&l, "ANNOUNCE rtsp://h/cam-001", "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(l.state, PUSH_LOGIN_READING);
        sign(&l, AUTH_SHA256, "cam-001", "wrong");
        assert_int_equal(push_login_check(&l, &cam), PUSH_WRONG_KEY);
    }
    assert_int_equal(l.state, PUSH_LOGIN_CLOSED);
    push_login_fini(&l);
}

static void asks_again_for_a_nonce_of_another_connection(void **state)
{
    struct push_login l;
    (void)state;
    push_login_init(&l);
    const char *reply = say(&l, "ANNOUNCE rtsp://h/cam-001",
                            "Authorization: Digest username=\"cam-001\", realm=\"Rookery\", "
                            "nonce=\"old\", uri=\"rtsp://h/cam-001\", response=\"00\"\r\n");
    assert_part(reply, "stale=true");
    assert_int_equal(l.state, PUSH_LOGIN_READING);
    push_login_fini(&l);
}

static void refuses_what_is_no_push(void **state)
{
    static const struct {
        const char *start, *reply;
    } table[] = {
        {"DESCRIBE rtsp://h/cam-001", "RTSP/1.0 501 This server takes streams"},
        {"PLAY rtsp://h/cam-001", "RTSP/1.0 501 "},
        {"SETUP rtsp://h/cam-001", "RTSP/1.0 455 "},
        {"RECORD rtsp://h/cam-001", "RTSP/1.0 455 "},
        {"FOO rtsp://h/cam-001", "RTSP/1.0 501 "},
        {"ANNOUNCE rtsp://h/", "RTSP/1.0 400 "},
        {"ANNOUNCE rtsp://h/cam-001/other", "RTSP/1.0 400 "},
        {"ANNOUNCE rtsp://h/../etc", "RTSP/1.0 400 "},
        {"ANNOUNCE *", "RTSP/1.0 400 "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct push_login l;
        push_login_init(&l);
        assert_part(say(&l, table[i].start, ""), table[i].reply);
        assert_int_equal(l.state, PUSH_LOGIN_CLOSED);
        push_login_fini(&l);
    }
}

static void holds_only_so_much(void **state)
{
    struct push_login l;
    uint8_t some[1000];
    (void)state;
    push_login_init(&l);
    memset(some, 'a', sizeof some);
    push_login_input(&l,
                     (const uint8_t *)"ANNOUNCE rtsp://h/x RTSP/1.0\r\nContent-Length: 60000"
                                      "\r\n\r\n",
                     54);
    for (int i = 0; i < 40 && l.state == PUSH_LOGIN_READING; i++)
        push_login_input(&l, some, sizeof some);
    assert_int_equal(l.state, PUSH_LOGIN_CLOSED);
    push_login_fini(&l);
    push_login_init(&l);
    push_login_input(&l, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18);
    assert_int_equal(l.state, PUSH_LOGIN_CLOSED);
    push_login_fini(&l);
}

static void slows_down_one_address_only(void **state)
{
    static struct push_limit limit;
    struct address a, b, net6, same6;
    int64_t now_us = 1000 * US_PER_S;
    (void)state;
    address_parse("10.0.0.1", 1, &a);
    address_parse("10.0.0.2", 1, &b);
    for (int i = 0; i < PUSH_LIMIT_BURST; i++) {
        assert_int_equal(push_limit_wait_us(&limit, &a, now_us), 0);
        push_limit_failed(&limit, &a, now_us);
    }
    assert_int_equal(push_limit_wait_us(&limit, &a, now_us), PUSH_LIMIT_US);
    assert_int_equal(push_limit_wait_us(&limit, &b, now_us), 0);
    now_us += PUSH_LIMIT_US;
    assert_int_equal(push_limit_wait_us(&limit, &a, now_us), 0);
    now_us += PUSH_LIMIT_BURST * PUSH_LIMIT_US; /* forgiven */
    for (int i = 0; i < PUSH_LIMIT_BURST; i++)
        push_limit_failed(&limit, &b, now_us);
    assert_int_equal(push_limit_wait_us(&limit, &a, now_us), 0);
    /* All addresses of one IPv6 network are one. */
    address_parse("2001:db8::1", 1, &net6);
    address_parse("2001:db8::2:3", 9, &same6);
    for (int i = 0; i < PUSH_LIMIT_BURST; i++)
        push_limit_failed(&limit, &net6, now_us);
    assert_int_equal(push_limit_wait_us(&limit, &same6, now_us), PUSH_LIMIT_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_in_by_every_scheme),
        cmocka_unit_test(lets_in_by_a_key_in_the_address),
        cmocka_unit_test(tells_nobody_which_cameras_there_are),
        cmocka_unit_test(says_why_a_right_key_does_not_help),
        cmocka_unit_test(does_not_look_at_a_camera_that_is_not_known),
        cmocka_unit_test(hangs_up_after_three_wrong_keys),
        cmocka_unit_test(asks_again_for_a_nonce_of_another_connection),
        cmocka_unit_test(refuses_what_is_no_push),
        cmocka_unit_test(holds_only_so_much),
        cmocka_unit_test(slows_down_one_address_only),
    };
    return cmocka_run_group_tests_name("push_login", tests, NULL, NULL);
}
