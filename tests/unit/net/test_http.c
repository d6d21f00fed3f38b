#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_rig.h"

static void on_gone(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_closed++;
}

static void on_drained(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_drained++;
}

static void on_release(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_released++;
}

static void echo(struct http_request *req)
{
    struct buf b;
    buf_init(&b, 0);
    buf_printf(&b, "%s", http_method_name(req->method));
    for (size_t i = 0; i < req->n_segments; i++)
        buf_printf(&b, " %s", req->segments[i]);
    size_t pos = 0;
    const char *name;
    const char *value;
    while (http_query_next(req, &pos, &name, &value))
        buf_printf(&b, " %s=%s", name, value);
    char cookie[32];
    if (http_cookie(req, "id", cookie, sizeof cookie))
        buf_printf(&b, " cookie=%s", cookie);
    if (http_bearer(req))
        buf_printf(&b, " bearer=%s", http_bearer(req));
    buf_printf(&b, " from=%s body=%s.", req->peer_text, (const char *)req->body);
    http_reply(req, 200, "text/plain", b.data, b.len);
    buf_fini(&b);
}

static void handle(void *ctx, struct http_request *req)
{
    struct rig *rig = ctx;
    rig->n_requests++;
    const char *what = req->n_segments ? req->segments[0] : "";
    if (strcmp(what, "echo") == 0) {
        echo(req);
    } else if (strcmp(what, "missing") == 0) {
        http_reply_problem(req, 404, "camera \"%s\" is unknown", "x\n");
    } else if (strcmp(what, "empty") == 0) {
        http_add_header(req, "Location", "%s", "/a\r\nEvil: 1");
        http_reply(req, 204, NULL, NULL, 0);
    } else if (strcmp(what, "stream") == 0) {
        http_stream_start(req, 200, "video/mp4", -1);
        http_on_closed(req, on_gone, rig);
        http_on_drained(req, on_drained, rig);
        rig->held = req;
    } else {
        http_on_closed(req, on_gone, rig);
        rig->held = req;
    }
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig_init(rig, &(struct http_server_params){
                      .handler = handle, .max_connections = 4, .max_body_bytes = 1000});
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    rig_fini(rig);
    free(rig);
    return 0;
}

static void hold(struct rig *rig, struct client *c, const char *path)
{
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    client_open(rig, c);
    client_say(c, text);
    int n = rig->n_requests;
    rig_until(rig, &rig->n_requests, n + 1);
    assert_non_null(rig->held);
}

static void shows_the_request_and_sends_the_answer(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    client_say(&c,
               "GET /echo//%E4%B8%80%2Fb/?at=2026-11-23T04:05:06%2B08:00&x=a+b&flag HTTP/1.1\r\n"
               "Host: h\r\nCookie: a=b; id=7\r\nAuthorization: Bearer  tok\r\n\r\n");
    client_expect(&c, "HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n");
    client_expect(&c, "Content-Type: text/plain\r\nContent-Length: 97\r\n");
    client_expect(&c, "\r\nGET echo \xE4\xB8\x80/b at=2026-11-23T04:05:06+08:00 x=a b flag= "
                      "cookie=7 bearer=tok from=127.0.0.1 body=.");
    client_close(&c);
}

static void takes_bodies_of_both_kinds_in_any_pieces(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                               "PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
                               "DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        client_send(&c, text + i, 1);
        loop_turn(rig->loop, false);
    }
    client_expect(&c, "POST echo from=127.0.0.1 body=hello.");
    client_expect(&c, "PUT echo from=127.0.0.1 body=abc0123456789.");
    client_expect(&c, "DELETE echo from=127.0.0.1 body=.");
    client_send(&c, text, sizeof text - 1); /* pipelined */
    client_expect(&c, "body=hello.");
    client_expect(&c, "body=abc0123456789.");
    client_expect(&c, "DELETE echo");
    assert_int_equal(rig->n_requests, 6);
    client_close(&c);
}

static const struct {
    const char *request;
    const char *answer;
} refusals[] = {
    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 "},
    {"GET /\r\n\r\n", "HTTP/1.1 400 "},
    {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
    {"GET /../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
    {"GET /%2e%2e/x HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
    {"GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
    {"GET /a%zz HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
    {"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "HTTP/1.1 400 "},
    {"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "HTTP/1.1 400 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 400 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
     "HTTP/1.1 400 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n", "HTTP/1.1 400 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 400 "},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
     "HTTP/1.1 400 "},
};

static void refuses_what_it_should(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct client c;
        client_open(rig, &c);
        client_say(&c, refusals[i].request);
        client_expect(&c, refusals[i].answer);
        client_expect(&c, "application/problem+json");
        client_expect(&c, "Connection: close\r\n\r\n{\"type\":\"about:blank\"");
        client_expect_close(&c);
        client_close(&c);
        rig_turns(rig);
    }
    assert_int_equal(rig->n_requests, 0);
}

static void refuses_endless_heads_and_bodies(void **state)
{
    struct rig *rig = *state;
    char junk[20000];
    memset(junk, 'a', sizeof junk);
    struct client c;
    client_open(rig, &c);
    client_say(&c, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    client_send(&c, junk, sizeof junk);
    client_expect(&c, "HTTP/1.1 431 ");
    client_close(&c);
    client_open(rig, &c);
    client_say(&c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n");
    client_send(&c, junk, sizeof junk);
    client_expect(&c, "HTTP/1.1 413 ");
    client_close(&c);
}

static void answers_head_and_no_content_without_body(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    client_say(&c, "HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\nGET /empty HTTP/1.1\r\nHost: h\r\n\r\n"
                   "GET /missing HTTP/1.0\r\n\r\n");
    client_expect(&c, "Content-Length: 31\r\n\r\nHTTP/1.1 204 No Content\r\n");
    client_expect(&c, "Location: /a  Evil: 1\r\n\r\nHTTP/1.1 404 Not Found");
    client_expect(&c, "Connection: close\r\n\r\n{");
    client_expect(&c, "\"detail\":\"camera \\\"x\\u000a\\\" is unknown\"}");
    client_expect_close(&c);
    client_close(&c);
}

static void asks_for_the_body_when_expected(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    client_say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                   "Expect: 100-continue\r\n\r\n");
    client_expect(&c, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(&c, "ok");
    client_expect(&c, "body=ok.");
    client_close(&c);
}

static void may_answer_later(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/later");
    client_say(&c, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"); /* must wait its turn */
    rig_turns(rig);
    assert_int_equal(rig->n_requests, 1);
    http_reply_text(rig->held, 200, "text/plain", "late");
    client_expect(&c, "\r\n\r\nlate");
    client_expect(&c, "GET echo");
    assert_int_equal(rig->n_closed, 0);
    client_close(&c);
}

static void forgives_an_answer_to_a_vanished_client(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/later");
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
    assert_true(http_is_gone(rig->held));
    assert_int_equal(http_server_connections(rig->server), 0);
    http_add_header(rig->held, "X", "y");
    http_reply_part(rig->held, 200, "text/plain", &(struct conn_part){"abc", 3, on_release, rig});
    assert_int_equal(rig->n_released, 1);
    rig_turns(rig);
    assert_int_equal(rig->n_closed, 1);
}

static void tells_late_that_the_client_is_gone(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/later");
    http_on_closed(rig->held, NULL, NULL);
    client_close(&c);
    rig_turns(rig);
    assert_true(http_is_gone(rig->held));
    http_on_closed(rig->held, on_gone, rig);
    assert_int_equal(rig->n_closed, 0);
    rig_turns(rig);
    assert_int_equal(rig->n_closed, 1);
    http_stream_end(rig->held);

    hold(rig, &c, "/later");
    http_on_closed(rig->held, NULL, NULL);
    client_close(&c);
    rig_turns(rig);
    http_on_closed(rig->held, on_gone, rig);
    http_reply_text(rig->held, 200, "text/plain", ""); /* before the call could come */
    rig_turns(rig);
    assert_int_equal(rig->n_closed, 1);
}

static void streams_in_chunks(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/stream");
    client_expect(&c, "Transfer-Encoding: chunked\r\n\r\n");
    http_stream_write(rig->held, "ab", 2);
    const struct conn_part parts[] = {{.data = "head", .n = 4}, {"payload", 7, on_release, rig}};
    http_stream_write_parts(rig->held, parts, 2);
    assert_int_equal(http_pending(rig->held), 2 + 5 + 4 + 7 + 5);
    client_expect(&c, "2\r\nab\r\nb\r\nheadpayload\r\n");
    assert_int_equal(rig->n_released, 1);
    assert_int_equal(http_pending(rig->held), 0);
    assert_int_equal(rig->n_drained, 2); /* head, data */
    http_stream_end(rig->held);
    client_expect(&c, "0\r\n\r\n");
    client_say(&c, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect(&c, "GET echo");
    client_close(&c);
}

static void keeps_a_promised_length(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/later");
    http_stream_start(rig->held, 200, "video/mp4", 6);
    http_stream_write(rig->held, "abc", 3);
    http_stream_write(rig->held, "too much", 8);
    http_stream_write(rig->held, "def", 3);
    http_stream_end(rig->held);
    client_expect(&c, "Content-Length: 6\r\n\r\nabcdef");
    client_close(&c);
    hold(rig, &c, "/later");
    http_stream_start(rig->held, 200, "video/mp4", 6);
    http_stream_write(rig->held, "abc", 3);
    http_stream_end(rig->held);
    client_expect_close(&c);
    client_close(&c);
}

static void bounds_and_releases_what_a_slow_client_leaves(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/stream");
    static uint8_t block[1 << 20];
    int n = 0;
    for (; n < 40; n++) {
        http_stream_write_parts(rig->held,
                                &(struct conn_part){block, sizeof block, on_release, rig}, 1);
        rig_turns(rig);
    }
    assert_true(http_pending(rig->held) > 20 << 20);
    assert_true(rig->n_released < 20);
    for (; n < 100; n++)
        http_stream_write_parts(rig->held,
                                &(struct conn_part){block, sizeof block, on_release, rig}, 1);
    rig_until(rig, &rig->n_closed, 1);
    assert_int_equal(http_pending(rig->held), 0);
    assert_int_equal(rig->n_released, 100);
    http_stream_end(rig->held);
    client_close(&c);
}

static void notices_a_client_that_leaves_a_stream(void **state)
{
    struct rig *rig = *state;
    struct client c;
    hold(rig, &c, "/stream");
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
    http_stream_write(rig->held, "x", 1);
    http_stream_end(rig->held);
    rig_turns(rig);
    assert_int_equal(rig->n_closed, 1);
}

static void cuts_everything_when_destroyed(void **state)
{
    struct rig *rig = *state;
    struct client a;
    struct client b;
    hold(rig, &a, "/stream");
    struct http_request *first = rig->held;
    hold(rig, &b, "/later");
    http_server_destroy(&rig->server);
    assert_int_equal(rig->n_closed, 2);
    rig_turns(rig);
    http_stream_end(first);
    http_reply_text(rig->held, 200, "text/plain", "nobody hears it");
    client_expect_close(&a);
    client_close(&a);
    client_close(&b);
}

static void refuses_too_many_connections(void **state)
{
    struct rig *rig = *state;
    struct client c[5];
    for (int i = 0; i < 5; i++)
        client_open(rig, &c[i]);
    client_expect(&c[4], "HTTP/1.1 503 ");
    client_expect(&c[4], "Retry-After: 5");
    client_expect_close(&c[4]);
    client_say(&c[0], "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect(&c[0], "GET echo");
    for (int i = 0; i < 5; i++)
        client_close(&c[i]);
}

static void gives_up_waiting(void **state)
{
    struct rig *rig = *state;
    struct client silent;
    struct client half;
    struct client body;
    struct client idle;
    client_open(rig, &silent);
    client_open(rig, &half);
    client_say(&half, "GET / HTTP/1.1\r\n");
    client_open(rig, &body);
    client_say(&body, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    client_open(rig, &idle);
    client_say(&idle, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect(&idle, "GET echo");
    rig_turns(rig);
    loop_advance(rig->loop, &rig->clock, 14 * US_PER_S);
    assert_int_equal(http_server_connections(rig->server), 4);
    loop_advance(rig->loop, &rig->clock, 2 * US_PER_S);
    client_expect_close(&silent);
    client_expect_close(&half);
    client_expect(&body, "HTTP/1.1 408 ");
    loop_advance(rig->loop, &rig->clock, 45 * US_PER_S);
    client_expect_close(&idle);
    client_close(&silent);
    client_close(&half);
    client_close(&body);
    client_close(&idle);
}

static void cuts_a_stream_that_is_not_taken(void **state)
{
    struct rig *rig = *state;
    struct client c;
    static uint8_t block[8 << 20];
    hold(rig, &c, "/stream");
    loop_advance(rig->loop, &rig->clock, 1000 * US_PER_S); /* nothing to send: no hurry */
    assert_int_equal(rig->n_closed, 0);
    http_stream_write(rig->held, block, sizeof block);
    rig_turns(rig);
    loop_advance(rig->loop, &rig->clock, 200 * US_PER_S);
    client_take(&c, 1 << 20);
    loop_advance(rig->loop, &rig->clock, 200 * US_PER_S);
    assert_int_equal(rig->n_closed, 0);
    loop_advance(rig->loop, &rig->clock, 300 * US_PER_S);
    assert_int_equal(rig->n_closed, 1);
    http_stream_end(rig->held);
    client_close(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(shows_the_request_and_sends_the_answer),
        T(takes_bodies_of_both_kinds_in_any_pieces),
        T(refuses_what_it_should),
        T(refuses_endless_heads_and_bodies),
        T(answers_head_and_no_content_without_body),
        T(asks_for_the_body_when_expected),
        T(may_answer_later),
        T(forgives_an_answer_to_a_vanished_client),
        T(tells_late_that_the_client_is_gone),
        T(streams_in_chunks),
        T(keeps_a_promised_length),
        T(bounds_and_releases_what_a_slow_client_leaves),
        T(notices_a_client_that_leaves_a_stream),
        T(cuts_everything_when_destroyed),
        T(refuses_too_many_connections),
        T(gives_up_waiting),
        T(cuts_a_stream_that_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
