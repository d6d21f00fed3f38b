#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/tunnel.h"

static struct tunnel tunnel_to(const char *text, const char *user, const char *password)
{
    struct url url;
    struct tunnel t;
    assert_int_equal(url_parse(text, &url, NULL), 0);
    tunnel_init(&t, &url, user, password);
    return t;
}

/* Whole request as text. */
static void get_text(struct tunnel *t, char *dst, size_t cap)
{
    struct buf b;
    buf_init(&b, 0);
    tunnel_put_get(t, &b);
    str_copy(dst, cap, buf_cstr(&b));
    buf_fini(&b);
}

static int answer(struct tunnel *t, const char *text, size_t *out_used, struct err *err)
{
    return tunnel_answer(t, (const uint8_t *)text, strlen(text), out_used, err);
}

static void asks_as_quicktime_does(void **state)
{
    (void)state;
    struct tunnel t = tunnel_to("rtsph://[::1]:8080/cam 1?x=y", "", "");
    char text[4096];
    char cookie[64];
    struct buf post;
    get_text(&t, text, sizeof text);
    assert_true(str_starts(text, "GET /cam%201?x=y HTTP/1.0\r\nHost: [::1]:8080\r\n"));
    snprintf(cookie, sizeof cookie, "\r\nx-sessioncookie: %s\r\n", t.cookie);
    assert_int_equal(strlen(t.cookie), 22);
    assert_non_null(strstr(text, cookie));
    assert_non_null(strstr(text, "\r\nAccept: application/x-rtsp-tunnelled\r\n"));
    assert_null(strstr(text, "Authorization"));
    buf_init(&post, 0);
    tunnel_put_post(&t, &post);
    assert_true(str_starts(buf_cstr(&post), "POST /cam%201?x=y HTTP/1.0\r\n"));
    assert_non_null(strstr(buf_cstr(&post), cookie));
    assert_non_null(strstr(buf_cstr(&post), "\r\nContent-Type: application/x-rtsp-tunnelled\r\n"));
    assert_true(str_ends(buf_cstr(&post), "\r\n\r\n"));
    buf_fini(&post);
    struct tunnel other = tunnel_to("rtsph://[::1]", "", "");
    assert_string_not_equal(other.cookie, t.cookie);
    assert_string_equal(other.target, "/");
}

/* Byte by byte, with what follows the head left alone. */
static void finds_where_rtsp_begins(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "HTTP/1.0 200 OK\r\nServer: x\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n",
        "HTTP/1.1 200\nConnection: close\n\n",
        "HTTP/1.0 200 OK\r\nnonsense\r\nContent-Type: application/octet-stream\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct tunnel t = tunnel_to("rtsph://h/", "", "");
        char text[512];
        size_t used = 1;
        size_t n = strlen(heads[i]);
        snprintf(text, sizeof text, "%s$\n\n", heads[i]);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(tunnel_answer(&t, (const uint8_t *)text, k, &used, NULL), TUNNEL_MORE);
            assert_int_equal(used, 0);
        }
        assert_int_equal(answer(&t, text, &used, NULL), TUNNEL_OPEN);
        assert_int_equal(used, n);
    }
}

static void names_what_is_no_tunnel(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *says;
    } cases[] = {
        {"RTSP/1.0 400 Bad Request\r\n\r\n", ERR_PROTOCOL, "answers in RTSP, not HTTP"},
        {"SSH-2.0-x\r\n", ERR_PROTOCOL, "neither in HTTP nor in RTSP"},
        {"HTTP/1.0 OK\r\n\r\n", ERR_PROTOCOL, "neither"},
        {"HTTP/1.0 404 Not\x01 Found\r\n\r\n", ERR_NOT_FOUND, "404 Not Found to the tunnel's GET"},
        {"HTTP/1.0 503 Busy\r\n\r\n", ERR_BUSY, "503 Busy"},
        {"HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\n", ERR_PROTOCOL, "elsewhere"},
        {"HTTP/1.0 403 Forbidden\r\n\r\n", ERR_AUTH, "403"},
        {"HTTP/1.0 500\r\n\r\n", ERR_PROTOCOL, "answered 500 to"},
        {"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n", ERR_PROTOCOL, "text/html"},
        {"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n", ERR_AUTH,
         "none is configured"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tunnel t = tunnel_to("rtsph://h/", "", "");
        struct err err = {0};
        size_t used = 0;
        assert_int_equal(answer(&t, cases[i].text, &used, &err), cases[i].code);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("%s: %s", cases[i].text, err.msg);
    }
}

static void bounds_the_head(void **state)
{
    (void)state;
    struct tunnel t = tunnel_to("rtsph://h/", "", "");
    size_t n = TUNNEL_HEAD_BYTES;
    size_t used = 0;
    char *text = xmalloc(n);
    memset(text, 'a', n);
    memcpy(text, "HTTP/1.0 200 OK\r\n", 17);
    assert_int_equal(tunnel_answer(&t, (uint8_t *)text, n - 1, &used, NULL), TUNNEL_MORE);
    assert_int_equal(tunnel_answer(&t, (uint8_t *)text, n, &used, NULL), ERR_TOO_BIG);
    FREE(&text);
}

static void logs_in_by_basic(void **state)
{
    (void)state;
    static const char challenge[] =
        "HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n\r\n";
    struct tunnel t = tunnel_to("rtsph://h/x", "admin", "secret");
    struct err err = {0};
    size_t used = 0;
    char text[4096];
    get_text(&t, text, sizeof text);
    assert_int_equal(answer(&t, challenge, &used, &err), TUNNEL_AGAIN);
    get_text(&t, text, sizeof text);
    assert_non_null(strstr(text, "\r\nAuthorization: Basic YWRtaW46c2VjcmV0\r\n"));
    assert_int_equal(answer(&t, challenge, &used, &err), ERR_AUTH);
    assert_string_equal(err.msg, "wrong user or password");
}

/* What a camera would compute of the Authorization in a request's text. */
static bool is_right(const char *text, const char *method, const char *nonce)
{
    struct auth_answer a;
    char ha1[AUTH_HASH_BYTES];
    struct auth_challenge c = {.scheme = AUTH_MD5, .qop = AUTH_QOP_AUTH, .realm = "cam"};
    const char *line = strstr(text, "\r\nAuthorization: ");
    if (!line)
        return false;
    line += strlen("\r\nAuthorization: ");
    str_copy(c.nonce, sizeof c.nonce, nonce);
    auth_ha1(AUTH_MD5, "admin", "cam", "secret", ha1);
    return auth_answer_parse((struct span){line, strcspn(line, "\r")}, &a) == 0 &&
           strcmp(a.uri, "/x?y") == 0 && auth_answer_verify(&a, &c, method, ha1, span_of(""));
}

static void logs_in_by_digest_on_both_connections(void **state)
{
    (void)state;
    struct tunnel t = tunnel_to("rtsph://h/x?y", "admin", "secret");
    struct err err = {0};
    struct buf post;
    size_t used = 0;
    char text[4096];
    get_text(&t, text, sizeof text);
    assert_int_equal(answer(&t,
                            "HTTP/1.0 401 No\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n"
                            "www-authenticate: Digest realm=\"cam\", nonce=\"n1\", qop=\"auth\"\r\n"
                            "Content-Length: 3\r\n\r\nNo.",
                            &used, &err),
                     TUNNEL_AGAIN);
    get_text(&t, text, sizeof text);
    assert_true(is_right(text, "GET", "n1"));
    /* too old meanwhile */
    assert_int_equal(answer(&t,
                            "HTTP/1.0 401 No\r\nWWW-Authenticate: Digest realm=\"cam\", "
                            "nonce=\"n2\", qop=\"auth\", stale=true\r\n\r\n",
                            &used, &err),
                     TUNNEL_AGAIN);
    get_text(&t, text, sizeof text);
    assert_true(is_right(text, "GET", "n2"));
    assert_int_equal(answer(&t, "HTTP/1.0 200 OK\r\n\r\n", &used, &err), TUNNEL_OPEN);
    buf_init(&post, 0);
    tunnel_put_post(&t, &post);
    assert_true(is_right(buf_cstr(&post), "POST", "n2"));
    buf_fini(&post);
}

static void does_not_try_a_password_for_ever(void **state)
{
    (void)state;
    struct tunnel t = tunnel_to("rtsph://h/", "admin", "secret");
    struct err err = {0};
    size_t used = 0;
    int rc = TUNNEL_AGAIN;
    int n = 0;
    while (rc == TUNNEL_AGAIN) {
        char text[4096];
        char reply[200];
        get_text(&t, text, sizeof text);
        snprintf(reply, sizeof reply,
                 "HTTP/1.0 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"%d\"\r\n\r\n",
                 n++);
        rc = answer(&t, reply, &used, &err);
    }
    assert_int_equal(rc, ERR_AUTH);
    assert_int_equal(n, TUNNEL_MAX_GETS);
}

static void reads_refusals_of_the_post(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"HTTP/1.0 200 OK\r\n\r\n", 0},
        {"", 0},
        {"garbage", 0},
        {"HTTP/1.1 401 No\r\n", ERR_AUTH},
        {"HTTP/1.1 404 No", ERR_NOT_FOUND},
        {"HTTP/1.1 411 Length Required\r\n", ERR_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        const uint8_t *p = (const uint8_t *)cases[i].text;
        assert_int_equal(tunnel_post_answer(p, strlen(cases[i].text), &err), cases[i].code);
    }
}

static void encodes_each_message_whole(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    tunnel_encode((const uint8_t *)"abcd", 4, &out);
    tunnel_encode((const uint8_t *)"ef", 2, &out);
    assert_string_equal(buf_cstr(&out), "YWJjZA==ZWY=");
    static const uint8_t many[60];
    tunnel_encode(many, sizeof many, &out);
    assert_true(out.is_failed);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_as_quicktime_does),
        cmocka_unit_test(finds_where_rtsp_begins),
        cmocka_unit_test(names_what_is_no_tunnel),
        cmocka_unit_test(bounds_the_head),
        cmocka_unit_test(logs_in_by_basic),
        cmocka_unit_test(logs_in_by_digest_on_both_connections),
        cmocka_unit_test(does_not_try_a_password_for_ever),
        cmocka_unit_test(reads_refusals_of_the_post),
        cmocka_unit_test(encodes_each_message_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
