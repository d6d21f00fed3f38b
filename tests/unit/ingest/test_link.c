#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/link.h"
#include "net/conn.h"
#include "net/tls.h"

#define MANY_BYTES  (48u << 20) /* more than any socket holds */
#define MAX_CAMERAS 6

static char dir[] = "/tmp/rookery-test-XXXXXX";
static char cert[64];
static char key[64];

/* One connection as the camera sees it. */
struct camera {
    struct rig *rig;
    struct conn *conn;
    struct buf got;
    bool is_closed;
};

/* A link on one side; on the other a listener whose connections do what the test tells them. */
struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct tls *tls;
    struct tls_client *client;
    struct link *link;
    struct buf out;
    int listener;
    struct watch accepting;
    struct camera cameras[MAX_CAMERAS];
    int n_cameras;
    bool is_tls; /* the camera's side */

    int n_opened, n_readable;
    struct err opened;
    struct buf got;
    size_t read_cap;
    int over;          /* the code link_read ended with */
    const char *early; /* the camera says it together with its answer to GET */
    bool closes_when_opened, closes_when_readable;
};

static size_t on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct camera *c = ctx;
    buf_append(&c->got, data, len);
    return len;
}

static void on_closed(void *ctx, int code)
{
    struct camera *c = ctx;
    (void)code;
    c->is_closed = true;
    conn_close(&c->conn);
}

static void on_accept(void *ctx, int fd, short what)
{
    struct rig *rig = ctx;
    struct address peer;
    (void)what;
    assert_true(rig->n_cameras < MAX_CAMERAS);
    struct camera *c = &rig->cameras[rig->n_cameras++];
    int accepted = socket_accept(fd, &peer);
    socket_set_nodelay(accepted); /* what is said arrives in the same turn */
    c->rig = rig;
    buf_init(&c->got, 0);
    c->conn = conn_create(&(struct conn_params){.loop = rig->loop,
                                                .fd = accepted,
                                                .tls = rig->is_tls ? rig->tls : NULL,
                                                .data = on_data,
                                                .closed = on_closed,
                                                .ctx = c});
}

static void on_opened(void *ctx, const struct err *err)
{
    struct rig *rig = ctx;
    rig->n_opened++;
    if (err)
        rig->opened = *err;
    if (rig->closes_when_opened)
        link_close(&rig->link);
}

static void on_readable(void *ctx)
{
    struct rig *rig = ctx;
    uint8_t *scratch = loop_scratch(rig->loop);
    rig->n_readable++;
    if (rig->closes_when_readable) {
        link_close(&rig->link);
        return;
    }
    ssize_t n = link_read(rig->link, scratch, rig->read_cap);
    if (n > 0)
        buf_append(&rig->got, scratch, (size_t)n);
    else if (n != -EAGAIN)
        rig->over = (int)n;
    if (rig->over)
        link_close(&rig->link);
}

static const struct link_events events = {on_opened, on_readable};

static void rig_init(struct rig *rig)
{
    struct address at;
    *rig = (struct rig){.read_cap = LOOP_SCRATCH_BYTES};
    clock_virtual_init(&rig->clock, 0);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    assert_int_equal(tls_create(cert, key, &rig->tls, NULL), 0);
    assert_int_equal(tls_client_create(&rig->client, NULL), 0);
    assert_int_equal(address_parse("127.0.0.1", 0, &at), 0);
    rig->listener = socket_listen(&at, 8, false, NULL);
    assert_true(rig->listener >= 0);
    watch_start(&rig->accepting, rig->loop, rig->listener, WATCH_READ, on_accept, rig);
    buf_init(&rig->out, 0);
    buf_init(&rig->got, 0);
}

/* "rtsph://127.0.0.1:PORT/cam" of "rtsph" */
static void open_link(struct rig *rig, const char *scheme, const char *user, const char *password)
{
    struct address at;
    struct url url;
    char text[128];
    assert_int_equal(socket_local(rig->listener, &at), 0);
    snprintf(text, sizeof text, "%s://127.0.0.1:%u/cam", scheme, address_port(&at));
    assert_int_equal(url_parse(text, &url, NULL), 0);
    rig->is_tls = url.is_tls;
    rig->link = link_open(&(struct link_params){.loop = rig->loop,
                                                .url = &url,
                                                .address = &at,
                                                .tls = rig->client,
                                                .user = user,
                                                .password = password,
                                                .events = &events,
                                                .ctx = rig});
}

static void rig_fini(struct rig *rig)
{
    link_close(&rig->link);
    link_close(&rig->link);
    for (int i = 0; i < rig->n_cameras; i++) {
        conn_close(&rig->cameras[i].conn);
        buf_fini(&rig->cameras[i].got);
    }
    watch_stop(&rig->accepting);
    close(rig->listener);
    loop_destroy(&rig->loop);
    tls_client_destroy(&rig->client);
    tls_destroy(&rig->tls);
    buf_fini(&rig->out);
    buf_fini(&rig->got);
}

static void turns(struct rig *rig, int n)
{
    for (int i = 0; i < n; i++)
        loop_turn(rig->loop, false);
}

static void say(struct rig *rig, const char *text)
{
    buf_puts(&rig->out, text);
    link_flush(rig->link, &rig->out);
}

static void camera_says(struct camera *c, const char *text)
{
    if (c->conn)
        conn_write(c->conn, text, strlen(text));
    turns(c->rig, 20);
}

static const char tunnel_ok[] =
    "HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n";

/* Up to `opened`, with the camera doing its part. */
static void open_whole(struct rig *rig, const char *scheme)
{
    open_link(rig, scheme, "", "");
    turns(rig, 40);
    if (strcmp(scheme, "rtsph") == 0 || strcmp(scheme, "rtspsh") == 0) {
        assert_int_equal(rig->n_opened, 0);
        assert_int_equal(rig->n_cameras, 1);
        if (rig->early)
            conn_write(rig->cameras[0].conn, tunnel_ok, sizeof tunnel_ok - 1);
        camera_says(&rig->cameras[0], rig->early ? rig->early : tunnel_ok);
        turns(rig, 40);
    }
    if (rig->n_opened != 1 || rig->opened.code)
        fail_msg("%s: %d %s", scheme, rig->n_opened, rig->opened.msg);
}

/* What the peer received as RTSP. */
static void expect_said(struct rig *rig, const char *text)
{
    struct camera *c = &rig->cameras[rig->n_cameras - 1];
    char plain[4096];
    const char *body = buf_cstr(&c->got);
    if (str_starts(body, "POST ")) {
        body = strstr(body, "\r\n\r\n");
        assert_non_null(body);
        body += 4;
        int64_t n = 0;
        while (*body && n < (int64_t)sizeof plain - 8) { /* each message is padded on its own */
            n += base64_decode((struct span){body, 4}, (uint8_t *)plain + n, 4);
            body += 4;
        }
        plain[n] = 0;
        body = plain;
    }
    assert_string_equal(body, text);
}

static const char *const schemes[] = {"rtsp", "rtsps", "rtsph", "rtspsh"};

static void carries_bytes_both_ways_by_every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct rig rig;
        struct address local;
        rig_init(&rig);
        open_whole(&rig, schemes[i]);
        assert_int_equal(link_local(rig.link, &local), 0);
        assert_true(address_is_loopback(&local));
        say(&rig, "OPTIONS rtsp://h RTSP/1.0\r\n\r\n");
        turns(&rig, 20);
        say(&rig, "DESCRIBE");
        turns(&rig, 20);
        assert_int_equal(rig.out.len, 0);
        expect_said(&rig, "OPTIONS rtsp://h RTSP/1.0\r\n\r\nDESCRIBE");
        camera_says(&rig.cameras[0], "RTSP/1.0 200 OK\r\n\r\n");
        camera_says(&rig.cameras[0], "$");
        assert_string_equal(buf_cstr(&rig.got), "RTSP/1.0 200 OK\r\n\r\n$");
        assert_int_equal(rig.n_opened, 1);
        rig_fini(&rig);
    }
}

/* A plain link reads once per readiness; with TLS a small buffer is told again without the network;
 * in a tunnel the first bytes may come together with the answer to GET. */
static void leaves_nothing_unseen(void **state)
{
    (void)state;
    static char text[40001];
    memset(text, 'y', sizeof text - 1);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct rig rig;
        rig_init(&rig);
        rig.read_cap = 1000;
        open_whole(&rig, schemes[i]);
        camera_says(&rig.cameras[0], text);
        turns(&rig, 200);
        assert_int_equal(rig.got.len, sizeof text - 1);
        rig_fini(&rig);
    }
}

static void reads_what_came_behind_the_answer_to_get(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.read_cap = 4;
    open_link(&rig, "rtsph", "", "");
    turns(&rig, 20);
    conn_write(rig.cameras[0].conn, tunnel_ok, sizeof tunnel_ok - 1);
    conn_write(rig.cameras[0].conn, "$early bytes", 12);
    turns(&rig, 40);
    assert_int_equal(rig.n_opened, 1);
    assert_string_equal(buf_cstr(&rig.got), "$early bytes");
    rig_fini(&rig);
}

static void batches_without_losing(void **state)
{
    (void)state;
    static const char *const kinds[] = {"rtsp", "rtsps", "rtsph", "rtspsh"};
    static char text[50001];
    memset(text, 'z', sizeof text - 1);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct rig rig;
        rig_init(&rig);
        rig.read_cap = 7000; /* less than a record: some bytes stay decrypted */
        open_whole(&rig, kinds[i]);
        turns(&rig, 20);
        int n_before = rig.n_readable;
        link_set_lowat(rig.link, 30000);
        camera_says(&rig.cameras[0], "few");
        assert_int_equal(rig.n_readable, n_before);
        /* the owner's tick reads without being told; what follows fills the batch */
        on_readable(&rig);
        assert_int_equal(rig.got.len, 3);
        camera_says(&rig.cameras[0], text);
        turns(&rig, 100);
        /* all but what the socket may hold back */
        assert_true(rig.got.len + 30000 >= sizeof text);
        for (int k = 0; k < 8; k++) {
            on_readable(&rig);
            turns(&rig, 20);
        }
        assert_int_equal(rig.got.len, sizeof text + 2);
        rig_fini(&rig);
    }
}

/* More than the network takes at once, to a camera that reads late. */
static void sends_the_rest_by_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct rig rig;
        size_t n_said = 0;
        rig_init(&rig);
        open_whole(&rig, schemes[i]);
        turns(&rig, 20);
        struct camera *c = &rig.cameras[rig.n_cameras - 1];
        size_t n_head = c->got.len;
        bool is_tunnel = rig.n_cameras == 2;
        conn_pause(c->conn);
        while (rig.out.len == 0) {
            assert_true(n_said < MANY_BYTES);
            for (int k = 0; k < 1000; k++)
                buf_puts(&rig.out, "abcdef");
            n_said += 6000;
            link_flush(rig.link, &rig.out);
            turns(&rig, 1);
        }
        conn_resume(c->conn);
        size_t n_wanted = n_head + (is_tunnel ? n_said / 3 * 4 : n_said);
        for (int k = 0; k < 100000 && c->got.len < n_wanted; k++)
            turns(&rig, 1);
        assert_int_equal(rig.out.len, 0);
        assert_int_equal(c->got.len, n_wanted);
        for (size_t k = n_head; k < n_wanted; k += 8000)
            assert_memory_equal(c->got.data + k,
                                is_tunnel ? "YWJjZGVm" : &"abcdefabcdef"[(k - n_head) % 6], 6);
        rig_fini(&rig);
    }
}

static void tells_once_why_it_does_not_open(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    watch_stop(&rig.accepting);
    struct address at;
    socket_local(rig.listener, &at);
    int dead = rig.listener;
    rig.listener = fcntl(dead, F_DUPFD_CLOEXEC, 0);
    close(dead);
    shutdown(rig.listener, SHUT_RDWR); /* nobody listens any more, and nobody else gets the port */
    open_link(&rig, "rtsp", "", "");
    assert_int_equal(rig.n_opened, 0);
    turns(&rig, 20);
    assert_int_equal(rig.n_opened, 1);
    assert_int_equal(rig.opened.code, -ECONNREFUSED);
    assert_true(str_starts(rig.opened.msg, "connection refused by 127.0.0.1:"));
    rig_fini(&rig);
}

/* The peer's answer to a link of some kind, and what the administrator reads. */
static const struct {
    const char *scheme;
    const char *answer; /* NULL = hangs up */
    int code;
    const char *says;
} refusals[] = {
    {"rtsps", "RTSP/1.0 400 Bad Request\r\n\r\n", ERR_PROTOCOL, "does not speak TLS on port "},
    {"rtsps", "RTSP/1.0 400 Bad Request\r\n\r\n", ERR_PROTOCOL, "; try rtsp://"},
    {"rtspsh", "HTTP/1.0 400 Bad Request\r\n\r\n", ERR_PROTOCOL, "; try rtsph://"},
    {"rtsps", NULL, ERR_PROTOCOL, "TLS: the camera broke off the handshake"},
    {"rtsph", "RTSP/1.0 400 Bad Request\r\n\r\n", ERR_PROTOCOL,
     "HTTP tunnel: the camera answers in RTSP, not HTTP"},
    {"rtsph", "HTTP/1.0 404 Not Found\r\n\r\n", ERR_NOT_FOUND, "HTTP tunnel: the camera answered"},
    {"rtsph", NULL, ERR_EOF, "HTTP tunnel, GET: the camera closed the connection"},
};

static void names_peers_that_do_not_carry_rtsp(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct rig rig;
        rig_init(&rig);
        open_link(&rig, refusals[i].scheme, "", "");
        rig.is_tls = false;
        turns(&rig, 20);
        assert_int_equal(rig.n_cameras, 1);
        if (refusals[i].answer)
            camera_says(&rig.cameras[0], refusals[i].answer);
        else
            conn_close(&rig.cameras[0].conn);
        turns(&rig, 20);
        assert_int_equal(rig.n_opened, 1);
        assert_int_equal(rig.opened.code, refusals[i].code);
        if (!strstr(rig.opened.msg, refusals[i].says))
            fail_msg("%s", rig.opened.msg);
        rig_fini(&rig);
    }
}

static void says_what_it_waits_for(void **state)
{
    (void)state;
    static const char *const waits[] = {"no answer from 127.0.0.1:", "TLS: no answer from",
                                        "HTTP tunnel: no answer from"};
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        struct rig rig;
        char text[200];
        rig_init(&rig);
        open_link(&rig, schemes[i], "", "");
        rig.is_tls = false; /* it never answers */
        turns(&rig, i == 0 ? 0 : 20);
        link_print_wait(rig.link, 5, text, sizeof text);
        assert_true(str_starts(text, waits[i]));
        assert_non_null(strstr(text, " within 5 s"));
        rig_fini(&rig);
    }
}

static void logs_in_on_a_fresh_connection(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    open_link(&rig, "rtsph", "admin", "secret");
    turns(&rig, 20);
    camera_says(&rig.cameras[0],
                "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n<html>");
    turns(&rig, 20);
    assert_int_equal(rig.n_cameras, 2);
    assert_true(rig.cameras[0].is_closed);
    assert_non_null(strstr(buf_cstr(&rig.cameras[1].got), "Authorization: Basic "));
    camera_says(&rig.cameras[1], tunnel_ok);
    turns(&rig, 20);
    assert_int_equal(rig.n_opened, 1);
    assert_int_equal(rig.opened.code, 0);
    assert_int_equal(rig.n_cameras, 3);
    assert_non_null(strstr(buf_cstr(&rig.cameras[2].got), "Authorization: Basic "));
    rig_fini(&rig);
}

static void ends_when_the_post_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    open_whole(&rig, "rtsph");
    camera_says(&rig.cameras[1], "HTTP/1.0 411 Length Required\r\n\r\n");
    turns(&rig, 20);
    assert_int_equal(rig.over, ERR_PROTOCOL);
    assert_int_equal(rig.n_opened, 1);
    rig_fini(&rig);
}

static void posts_anew_when_the_camera_ended_a_post(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    open_whole(&rig, "rtsph");
    say(&rig, "first");
    turns(&rig, 20);
    conn_close(&rig.cameras[1].conn);
    turns(&rig, 20);
    assert_int_equal(rig.over, 0);
    assert_int_equal(rig.n_cameras, 2);
    say(&rig, "second");
    turns(&rig, 20);
    assert_int_equal(rig.n_cameras, 3);
    expect_said(&rig, "second");
    camera_says(&rig.cameras[0], "well");
    assert_string_equal(buf_cstr(&rig.got), "well");
    rig_fini(&rig);
}

static void tells_the_end_after_the_last_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct rig rig;
        rig_init(&rig);
        open_whole(&rig, schemes[i]);
        turns(&rig, 20);
        conn_write(rig.cameras[0].conn, "bye", 3);
        conn_finish(rig.cameras[0].conn, 1000);
        turns(&rig, 40);
        assert_string_equal(buf_cstr(&rig.got), "bye");
        assert_int_equal(rig.over, ERR_EOF);
        rig_fini(&rig);
    }
}

static void may_be_closed_in_its_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(schemes); i++) {
        const char *scheme = schemes[i / 2];
        struct rig rig;
        rig_init(&rig);
        rig.closes_when_opened = i % 2;
        rig.early = "early";
        rig.closes_when_readable = !rig.closes_when_opened;
        open_whole(&rig, scheme);
        camera_says(&rig.cameras[0], "text");
        turns(&rig, 20);
        assert_null(rig.link);
        assert_int_equal(rig.n_readable, rig.closes_when_readable);
        for (int k = 0; k < rig.n_cameras; k++)
            assert_true(rig.cameras[k].is_closed);
        rig_fini(&rig);
    }
}

/* In every state there is, after any number of turns. */
static void may_be_closed_at_any_time(void **state)
{
    (void)state;
    for (int n = 0; n < 24; n++) {
        for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
            struct rig rig;
            rig_init(&rig);
            open_link(&rig, schemes[i], "", "");
            for (int k = 0; k < n; k++) {
                turns(&rig, 1);
                if (k == 8 && i >= 2)
                    conn_write(rig.cameras[0].conn, tunnel_ok, sizeof tunnel_ok - 1);
            }
            int n_opened = rig.n_opened;
            link_close(&rig.link);
            turns(&rig, 20);
            assert_int_equal(rig.n_opened, n_opened);
            rig_fini(&rig);
        }
    }
}

static void adopts_what_is_connected(void **state)
{
    (void)state;
    struct rig rig;
    int fds[2];
    char text[16] = "";
    rig_init(&rig);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    rig.link = link_adopt(rig.loop, fds[0], &events, &rig);
    say(&rig, "hello");
    assert_int_equal(recv(fds[1], text, sizeof text, 0), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(send(fds[1], "well", 4, 0), 4);
    turns(&rig, 5);
    assert_string_equal(buf_cstr(&rig.got), "well");
    close(fds[1]);
    turns(&rig, 5);
    assert_int_equal(rig.over, ERR_EOF);
    assert_int_equal(rig.n_opened, 0);
    rig_fini(&rig);
}

static int make_pair(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    return tls_make_self_signed(cert, key, "somebody.else", NULL);
}

static int remove_pair(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_bytes_both_ways_by_every_kind),
        cmocka_unit_test(leaves_nothing_unseen),
        cmocka_unit_test(reads_what_came_behind_the_answer_to_get),
        cmocka_unit_test(batches_without_losing),
        cmocka_unit_test(sends_the_rest_by_itself),
        cmocka_unit_test(tells_once_why_it_does_not_open),
        cmocka_unit_test(names_peers_that_do_not_carry_rtsp),
        cmocka_unit_test(says_what_it_waits_for),
        cmocka_unit_test(logs_in_on_a_fresh_connection),
        cmocka_unit_test(ends_when_the_post_is_refused),
        cmocka_unit_test(posts_anew_when_the_camera_ended_a_post),
        cmocka_unit_test(tells_the_end_after_the_last_bytes),
        cmocka_unit_test(may_be_closed_in_its_events),
        cmocka_unit_test(may_be_closed_at_any_time),
        cmocka_unit_test(adopts_what_is_connected),
    };
    return cmocka_run_group_tests(tests, make_pair, remove_pair);
}
