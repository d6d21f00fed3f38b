#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_rig.h"

#define DEADLINE_US (60 * US_PER_S)

void rig_init(struct rig *rig, const struct http_server_params *params)
{
    *rig = (struct rig){0};
    clock_virtual_init(&rig->clock, INT64_C(1700000000) * US_PER_S);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    struct http_server_params p = *params;
    p.loop = rig->loop;
    p.listen = "127.0.0.1:0";
    p.ctx = rig;
    rig->pool = p.pool;
    struct err err;
    if (http_server_create(&p, &rig->server, &err) < 0)
        fail_msg("%s", err.msg);
}

void rig_fini(struct rig *rig)
{
    http_server_destroy(&rig->server);
    pool_destroy(&rig->pool);
    loop_destroy(&rig->loop);
    buf_fini(&rig->ws_got);
}

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

void client_open(struct rig *rig, struct client *c)
{
    struct address to;
    struct err err;
    *c = (struct client){.rig = rig};
    address_parse("127.0.0.1", http_server_port(rig->server), &to);
    c->fd = socket_connect(&to, &err);
    if (c->fd < 0)
        fail_msg("%s", err.msg);
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(socket_connect_result(c->fd), 0);
}

void client_close(struct client *c)
{
    close(c->fd);
    buf_fini(&c->got);
}

static void step(struct client *c)
{
    uint8_t bytes[65536];
    loop_turn(c->rig->loop, false);
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        buf_append(&c->got, bytes, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        c->is_closed = true;
    else
        poll(NULL, 0, 1);
}

void client_send(struct client *c, const void *data, size_t n)
{
    const uint8_t *p = data;
    int64_t deadline_us = now_us() + DEADLINE_US;
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
            continue;
        }
        if (errno != EAGAIN)
            return; /* the server ended: what it said will be checked */
        assert_true(now_us() < deadline_us);
        step(c);
    }
}

void client_say(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

void client_expect(struct client *c, const char *text)
{
    size_t n = strlen(text);
    int64_t deadline_us = now_us() + DEADLINE_US;
    while (!(c->got.len >= n && memmem(c->got.data, c->got.len, text, n))) {
        if (now_us() > deadline_us || (c->is_closed && c->got.len == 0))
            fail_msg("waiting for '%s', got '%s'", text, buf_cstr(&c->got));
        if (c->is_closed)
            fail_msg("closed before '%s', got '%s'", text, buf_cstr(&c->got));
        step(c);
    }
    const uint8_t *at = memmem(c->got.data, c->got.len, text, n);
    buf_consume(&c->got, (size_t)(at - c->got.data) + n);
}

void client_expect_close(struct client *c)
{
    int64_t deadline_us = now_us() + DEADLINE_US;
    while (!c->is_closed) {
        assert_true(now_us() < deadline_us);
        step(c);
    }
}

size_t client_take(struct client *c, size_t n)
{
    int64_t deadline_us = now_us() + DEADLINE_US;
    while (c->got.len < n && !c->is_closed) {
        assert_true(now_us() < deadline_us);
        step(c);
    }
    return c->got.len;
}

void rig_until(struct rig *rig, const int *n, int want)
{
    int64_t deadline_us = now_us() + DEADLINE_US;
    while (*n < want) {
        if (now_us() > deadline_us)
            fail_msg("count is %d, want %d", *n, want);
        loop_turn(rig->loop, false);
        poll(NULL, 0, 1);
    }
}

void rig_turns(struct rig *rig)
{
    for (int i = 0; i < 5; i++) {
        loop_turn(rig->loop, false);
        poll(NULL, 0, 1);
    }
}
