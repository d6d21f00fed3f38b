#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_rig.h"

#define HELLO                                                                                      \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"                 \
    "Sec-WebSocket-Protocol: other, rookery.wall.1\r\n\r\n"

static void on_text(void *ctx, const char *text, size_t n)
{
    struct rig *rig = ctx;
    buf_printf(&rig->ws_got, "t%zu:%s ", n, text);
    if (strcmp(text, "close me") == 0)
        ws_close(rig->ws, 4000, "as you wish");
    else if (strcmp(text, "destroy") == 0)
        http_server_destroy(&rig->server);
    else
        ws_send_text(rig->ws, text, n);
}

static void on_binary(void *ctx, const uint8_t *data, size_t n)
{
    struct rig *rig = ctx;
    buf_printf(&rig->ws_got, "b%zu:%02x ", n, n ? data[0] : 0);
}

static void on_ws_drained(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_drained++;
}

static void on_ws_closed(void *ctx, int code)
{
    struct rig *rig = ctx;
    rig->n_closed++;
    rig->ws_code = code;
    rig->ws = NULL;
}

static void on_release(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_released++;
}

static const struct ws_handlers handlers = {on_text, on_binary, on_ws_drained, on_ws_closed};

static void handle(void *ctx, struct http_request *req)
{
    struct rig *rig = ctx;
    rig->n_requests++;
    if (strcmp(req->path, "/held") == 0) {
        rig->held = req;
        return;
    }
    bool is_ours = http_offers_subprotocol(req, "rookery.wall.1");
    rig->ws = http_upgrade(req, is_ours ? "rookery.wall.1" : NULL, &handlers, rig);
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig_init(rig, &(struct http_server_params){.handler = handle});
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

/* A masked frame, as clients send it; the mask is zero except for one byte. */
static void send_frame(struct client *c, uint8_t first, const void *data, size_t n)
{
    struct buf b;
    buf_init(&b, 0);
    buf_put_u8(&b, first);
    if (n < 126) {
        buf_put_u8(&b, 0x80 | (uint8_t)n);
    } else if (n < 65536) {
        buf_put_u8(&b, 0x80 | 126);
        buf_put_be16(&b, (uint16_t)n);
    } else {
        buf_put_u8(&b, 0x80 | 127);
        buf_put_be64(&b, n);
    }
    const uint8_t mask[4] = {0, 0x55, 0, 0};
    buf_append(&b, mask, 4);
    for (size_t i = 0; i < n; i++)
        buf_put_u8(&b, ((const uint8_t *)data)[i] ^ mask[i % 4]);
    client_send(c, b.data, b.len);
    buf_fini(&b);
}

static void expect_bytes(struct client *c, const char *want, size_t n)
{
    client_take(c, n);
    assert_true(c->got.len >= n);
    assert_memory_equal(c->got.data, want, n);
    buf_consume(&c->got, n);
}
#define EXPECT(c, text) expect_bytes(c, text, sizeof(text) - 1)

static void greet(struct rig *rig, struct client *c)
{
    client_open(rig, c);
    client_say(c, HELLO);
    client_expect(c, "HTTP/1.1 101 Switching Protocols\r\n");
    client_expect(c, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                     "Sec-WebSocket-Protocol: rookery.wall.1\r\n\r\n");
    assert_non_null(rig->ws);
}

static void exchanges_messages(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    send_frame(&c, 0x81, "hello", 5);
    EXPECT(&c, "\x81\x05hello");
    send_frame(&c, 0x01, "in ", 3); /* a fragmented message with a ping inside */
    send_frame(&c, 0x89, "now", 3);
    send_frame(&c, 0x80, "two", 3);
    EXPECT(&c, "\x81\x06in two\x8a\x03now");
    send_frame(&c, 0x82, "\xff\x00", 2);
    send_frame(&c, 0x81, "", 0);
    EXPECT(&c, "\x81\x00");
    assert_string_equal(buf_cstr(&rig->ws_got), "t5:hello t6:in two b2:ff t0: ");
    assert_true(rig->n_drained > 0);
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
    assert_int_equal(rig->ws_code, 1006);
}

static void sends_shared_payloads(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    static uint8_t block[70000];
    const struct conn_part parts[] = {{.data = "head", .n = 4},
                                      {block, sizeof block, on_release, rig}};
    ws_send_binary(rig->ws, parts, 2);
    assert_int_equal(ws_pending(rig->ws), 10 + 4 + sizeof block);
    EXPECT(&c, "\x82\x7f\0\0\0\0\0\x01\x11\x74head\0\0\0\0");
    client_take(&c, sizeof block - 4);
    assert_int_equal(rig->n_released, 1);
    const struct conn_part small[] = {{block, 300, on_release, rig}};
    buf_clear(&c.got);
    ws_send_binary(rig->ws, small, 1);
    EXPECT(&c, "\x82\x7e\x01\x2c\0");
    client_close(&c);
}

static void releases_payloads_of_a_client_that_stopped_reading(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    static uint8_t block[1 << 20];
    for (int i = 0; i < 100 && rig->ws; i++) {
        ws_send_binary(rig->ws, &(struct conn_part){block, sizeof block, on_release, rig}, 1);
        rig_turns(rig);
    }
    rig_until(rig, &rig->n_closed, 1);
    assert_true(rig->n_released > 64 && rig->n_released < 80); /* the bound of 64 MiB */
    client_close(&c);
}

static void closes_when_the_client_asks(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    send_frame(&c, 0x88, "\x03\xe8", 2);
    EXPECT(&c, "\x88\x02\x03\xe8");
    client_expect_close(&c);
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
    assert_int_equal(rig->ws_code, 1000);
}

static void closes_when_we_ask(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    send_frame(&c, 0x81, "close me", 8);
    send_frame(&c, 0x81, "unheard", 7);
    EXPECT(&c, "\x88\x0d\x0f\xa0"
               "as you wish");
    assert_int_equal(rig->n_closed, 0);
    send_frame(&c, 0x88, "\x0f\xa0", 2);
    client_expect_close(&c);
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
    assert_int_equal(rig->ws_code, 4000);
    assert_string_equal(buf_cstr(&rig->ws_got), "t8:close me ");
}

static void does_not_wait_for_ever_for_a_close(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    ws_close(rig->ws, 1001, NULL);
    EXPECT(&c, "\x88\x02\x03\xe9");
    loop_advance(rig->loop, &rig->clock, 3 * US_PER_S);
    assert_int_equal(rig->n_closed, 1);
    client_close(&c);
}

static void refuses_large_and_broken_messages(void **state)
{
    struct rig *rig = *state;
    struct client c;
    static uint8_t block[(64 << 10) + 1];
    greet(rig, &c);
    send_frame(&c, 0x82, block, sizeof block);
    EXPECT(&c, "\x88\x02\x03\xf1"); /* 1009 */
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
    assert_int_equal(rig->ws_code, 1009);
    greet(rig, &c);
    send_frame(&c, 0x81, "\xff\xfe", 2); /* not UTF-8 */
    EXPECT(&c, "\x88\x02\x03\xef");      /* 1007 */
    client_close(&c);
    rig_until(rig, &rig->n_closed, 2);
    greet(rig, &c);
    client_send(&c, "\x81\x01x", 3); /* not masked */
    EXPECT(&c, "\x88\x02\x03\xea");  /* 1002 */
    loop_advance(rig->loop, &rig->clock, 4 * US_PER_S);
    client_expect_close(&c);
    client_close(&c);
    rig_until(rig, &rig->n_closed, 3);
    assert_string_equal(buf_cstr(&rig->ws_got), "");
}

static void pings_and_drops_silent_clients(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    for (int i = 0; i < 5; i++) {
        loop_advance(rig->loop, &rig->clock, 20 * US_PER_S);
        EXPECT(&c, "\x89\x00");
        send_frame(&c, 0x8a, "", 0);
        rig_turns(rig);
    }
    loop_advance(rig->loop, &rig->clock, 60 * US_PER_S);
    assert_int_equal(rig->n_closed, 0);
    loop_advance(rig->loop, &rig->clock, 20 * US_PER_S);
    assert_int_equal(rig->n_closed, 1);
    client_expect_close(&c);
    client_close(&c);
}

static void survives_destruction_inside_a_message(void **state)
{
    struct rig *rig = *state;
    struct client c;
    greet(rig, &c);
    send_frame(&c, 0x81, "destroy", 7);
    client_expect_close(&c);
    assert_int_equal(rig->n_closed, 1);
    client_close(&c);
}

static void may_upgrade_later_and_keeps_early_frames(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    client_say(&c, "GET /held HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                   "\r\n");
    send_frame(&c, 0x81, "early", 5);
    rig_until(rig, &rig->n_requests, 1);
    rig_turns(rig);
    rig->ws = http_upgrade(rig->held, NULL, &handlers, rig);
    client_expect(&c, "\r\n\r\n");
    EXPECT(&c, "\x81\x05"
               "early");
    client_close(&c);
    rig_until(rig, &rig->n_closed, 1);
}

static void refuses_bad_handshakes(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    client_say(&c, "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect(&c, "HTTP/1.1 426 ");
    client_expect(&c, "Sec-WebSocket-Version: 13\r\n");
    client_say(&c, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                   "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n");
    client_expect(&c, "HTTP/1.1 400 ");
    client_say(&c, "GET /held HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                   "\r\n");
    rig_until(rig, &rig->n_requests, 3);
    client_close(&c);
    rig_turns(rig);
    assert_null(http_upgrade(rig->held, NULL, &handlers, rig));
    assert_int_equal(rig->n_closed, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(exchanges_messages),
        T(sends_shared_payloads),
        T(releases_payloads_of_a_client_that_stopped_reading),
        T(closes_when_the_client_asks),
        T(closes_when_we_ask),
        T(does_not_wait_for_ever_for_a_close),
        T(refuses_large_and_broken_messages),
        T(pings_and_drops_silent_clients),
        T(survives_destruction_inside_a_message),
        T(may_upgrade_later_and_keeps_early_frames),
        T(refuses_bad_handshakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
