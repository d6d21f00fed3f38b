#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/conn.h"

struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct conn *conn;
    int peer;
    size_t takes; /* what data() consumes at most */
    bool closes;  /* data() closes the connection */
    struct buf got;
    int n_shown, n_drained, n_closed, n_released, code;
};

static size_t on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct rig *rig = ctx;
    size_t n = MIN(len, rig->takes);
    rig->n_shown++;
    buf_append(&rig->got, data, n);
    if (rig->closes)
        conn_close(&rig->conn);
    return n;
}

static void on_drained(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_drained++;
}

static void on_closed(void *ctx, int code)
{
    struct rig *rig = ctx;
    rig->n_closed++;
    rig->code = code;
    conn_close(&rig->conn);
}

static void on_release(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_released++;
}

static struct rig *rig_create(void)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    clock_virtual_init(&rig->clock, 0);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    rig->peer = fds[1];
    rig->takes = SIZE_MAX;
    rig->conn = conn_create(&(struct conn_params){.loop = rig->loop,
                                                  .fd = fds[0],
                                                  .max_in_bytes = 1000,
                                                  .data = on_data,
                                                  .drained = on_drained,
                                                  .closed = on_closed,
                                                  .ctx = rig});
    return rig;
}

static void turns(struct rig *rig)
{
    for (int i = 0; i < 8; i++)
        loop_turn(rig->loop, false);
}

static void rig_destroy(struct rig *rig)
{
    conn_close(&rig->conn);
    conn_close(&rig->conn);
    if (rig->peer >= 0)
        close(rig->peer);
    loop_destroy(&rig->loop);
    buf_fini(&rig->got);
    free(rig);
}

static void say(struct rig *rig, const char *text)
{
    assert_int_equal(send(rig->peer, text, strlen(text), 0), strlen(text));
}

static size_t hear(struct rig *rig, char *dst, size_t cap)
{
    ssize_t n = recv(rig->peer, dst, cap - 1, 0);
    dst[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static void shows_unconsumed_bytes_again(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    rig->takes = 2;
    say(rig, "abcdef");
    turns(rig);
    assert_int_equal(rig->n_shown, 1);
    say(rig, "g");
    turns(rig);
    conn_resume(rig->conn);
    turns(rig);
    assert_string_equal(buf_cstr(&rig->got), "abcdef");
    assert_int_equal(rig->n_shown, 3);
    rig_destroy(rig);
}

static void stops_reading_when_enough_waits(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    static char block[200000];
    memset(block, 'x', sizeof block);
    rig->takes = 0;
    assert_true(send(rig->peer, block, sizeof block, 0) > 100000);
    turns(rig);
    int n = rig->n_shown;
    assert_true(n > 0);
    turns(rig);
    assert_int_equal(rig->n_shown, n);
    rig->takes = SIZE_MAX;
    conn_resume(rig->conn);
    turns(rig);
    assert_true(rig->got.len > 100000);
    rig_destroy(rig);
}

static void pauses_and_resumes(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    conn_pause(rig->conn);
    say(rig, "abc");
    turns(rig);
    assert_int_equal(rig->n_shown, 0);
    conn_resume(rig->conn);
    turns(rig);
    assert_string_equal(buf_cstr(&rig->got), "abc");
    rig_destroy(rig);
}

static void writes_copies_and_references_in_order(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    char text[64];
    conn_write(rig->conn, "a", 1);
    conn_write_parts(rig->conn,
                     (struct conn_part[]){{.data = "bc", .n = 2},
                                          {"def", 3, on_release, rig},
                                          {"", 0, on_release, rig}},
                     3);
    assert_int_equal(conn_pending(rig->conn), 6);
    assert_int_equal(rig->n_released, 1);
    assert_int_equal(hear(rig, text, sizeof text), 0); /* at the end of the turn */
    turns(rig);
    hear(rig, text, sizeof text);
    assert_string_equal(text, "abcdef");
    assert_int_equal(rig->n_released, 2);
    assert_int_equal(rig->n_drained, 1);
    assert_int_equal(conn_sent_bytes(rig->conn), 6);
    assert_int_equal(conn_pending(rig->conn), 0);
    rig_destroy(rig);
}

static void waits_for_a_slow_peer(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    static char block[1 << 20];
    static char sink[1 << 20];
    conn_write_parts(rig->conn, &(struct conn_part){block, sizeof block, on_release, rig}, 1);
    turns(rig);
    assert_true(conn_pending(rig->conn) > 0);
    assert_int_equal(rig->n_released + rig->n_drained, 0);
    size_t n = 0;
    while (n < sizeof block) {
        n += hear(rig, sink, sizeof sink);
        turns(rig);
    }
    assert_int_equal(rig->n_released, 1);
    assert_int_equal(rig->n_drained, 1);
    rig_destroy(rig);
}

static void reports_the_end_once(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    say(rig, "last");
    close(rig->peer);
    rig->peer = -1;
    turns(rig);
    assert_string_equal(buf_cstr(&rig->got), "last");
    assert_int_equal(rig->n_closed, 1);
    assert_int_equal(rig->code, ERR_EOF);
    assert_null(rig->conn);
    rig_destroy(rig);
}

static void releases_everything_when_it_breaks(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    static char block[1 << 20];
    for (int i = 0; i < 3; i++)
        conn_write_parts(rig->conn, &(struct conn_part){block, sizeof block, on_release, rig}, 1);
    turns(rig);
    conn_abort(rig->conn);
    assert_int_equal(rig->n_released, 3);
    assert_int_equal(rig->n_closed, 0); /* never from within a call */
    conn_write_parts(rig->conn, &(struct conn_part){block, sizeof block, on_release, rig}, 1);
    assert_int_equal(rig->n_released, 4);
    turns(rig);
    assert_int_equal(rig->n_closed, 1);
    assert_int_equal(rig->code, -ECONNABORTED);
    rig_destroy(rig);
}

static void may_be_closed_while_showing(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    rig->closes = true;
    static char block[1 << 20];
    conn_write_parts(rig->conn, &(struct conn_part){block, sizeof block, on_release, rig}, 1);
    say(rig, "abc");
    turns(rig);
    assert_null(rig->conn);
    assert_int_equal(rig->n_released, 1);
    assert_int_equal(rig->n_closed, 0);
    rig_destroy(rig);
}

static void finishes_politely(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    char text[64];
    conn_write(rig->conn, "bye", 3);
    conn_finish(rig->conn, 1000);
    conn_write(rig->conn, "unheard", 7);
    say(rig, "ignored");
    turns(rig);
    hear(rig, text, sizeof text);
    assert_string_equal(text, "bye");
    assert_int_equal(recv(rig->peer, text, sizeof text, 0), 0); /* our end */
    assert_int_equal(rig->n_closed, 0);
    close(rig->peer);
    rig->peer = -1;
    turns(rig);
    assert_int_equal(rig->n_closed, 1);
    assert_int_equal(rig->n_shown, 0);
    rig_destroy(rig);
}

static void does_not_linger_without_progress(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    static char block[1 << 20];
    static char sink[100000];
    conn_write_parts(rig->conn, &(struct conn_part){block, sizeof block, on_release, rig}, 1);
    conn_finish(rig->conn, 1000);
    for (int i = 0; i < 3; i++) {
        turns(rig);
        while (hear(rig, sink, sizeof sink) > 0)
            continue;
        turns(rig);
        loop_advance(rig->loop, &rig->clock, 900 * US_PER_MS);
    }
    assert_int_equal(rig->n_closed, 0);
    loop_advance(rig->loop, &rig->clock, 2 * US_PER_S);
    assert_int_equal(rig->n_closed, 1);
    assert_int_equal(rig->n_released, 1);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_unconsumed_bytes_again),
        cmocka_unit_test(stops_reading_when_enough_waits),
        cmocka_unit_test(pauses_and_resumes),
        cmocka_unit_test(writes_copies_and_references_in_order),
        cmocka_unit_test(waits_for_a_slow_peer),
        cmocka_unit_test(reports_the_end_once),
        cmocka_unit_test(releases_everything_when_it_breaks),
        cmocka_unit_test(may_be_closed_while_showing),
        cmocka_unit_test(finishes_politely),
        cmocka_unit_test(does_not_linger_without_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
