/* An encoder, the port it knocks at, and the stream it pushes: sockets on loopback, a virtual
 * clock.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/push_port.h"
#include "ingest/stream.h"
#include "rig.h"

#define URI "rtsp://h/cam-001?key=secret-key"
#define SDP RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:streamid=0\r\n"

struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct push_port *port;
    struct allowance allowance; /* plenty, unless a test takes it away */
    struct stream *stream;
    struct stream_config config;
    struct stream_status status;
    bool is_gone;
    int n_lookups;
};

struct encoder {
    struct rig *rig;
    int fd;
    char reply[4096]; /* the newest */
    uint16_t seq;
};

static void on_status(void *ctx, const struct stream_status *st, bool is_change)
{
    (void)is_change;
    ((struct rig *)ctx)->status = *st;
}

static void on_gone(void *ctx)
{
    ((struct rig *)ctx)->is_gone = true;
}

static void lookup(void *ctx, const char *camera_id, const char *stream, struct push_camera *out)
{
    struct rig *rig = ctx;
    rig->n_lookups++;
    out->is_known = strcmp(camera_id, "cam-001") == 0 && strcmp(stream, "main") == 0;
    if (!out->is_known)
        return;
    out->is_pushed = out->is_enabled = true;
    str_copy(out->user, sizeof out->user, "cam-001");
    str_copy(out->key, sizeof out->key, "secret-key");
}

static void admit(void *ctx, const char *camera_id, const char *stream, struct push_peer *peer)
{
    struct rig *rig = ctx;
    assert_string_equal(camera_id, "cam-001");
    assert_string_equal(stream, "main");
    stream_adopt(rig->stream, peer);
}

static void settle(struct rig *rig)
{
    for (int i = 0; i < 200; i++)
        loop_turn(rig->loop, false);
}

static void pass_ms(struct rig *rig, int64_t ms)
{
    for (; ms > 0; ms -= 250) {
        loop_advance(rig->loop, &rig->clock, MIN(ms, 250) * US_PER_MS);
        settle(rig);
    }
}

#define until(rig, done)                                                                           \
    do {                                                                                           \
        long turns_ = 0;                                                                           \
        while (!(done)) {                                                                          \
            loop_turn((rig)->loop, false);                                                         \
            if (++turns_ > 1000000)                                                                \
                fail_msg("never: %s (%s: %s)", #done, cause_name((rig)->status.cause),             \
                         (rig)->status.detail);                                                    \
        }                                                                                          \
    } while (0)

static int set_up(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    struct err err;
    clock_virtual_init(&rig->clock, INT64_C(1700000000) * US_PER_S);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    struct push_port_params port = {.loop = rig->loop,
                                    .listen = "127.0.0.1:0",
                                    .allowance = &rig->allowance,
                                    .lookup = lookup,
                                    .admit = admit,
                                    .ctx = rig};
    allowance_init(&rig->allowance, 1000);
    if (push_port_create(&port, &rig->port, &err) < 0)
        fail_msg("%s", err.msg);
    rig->config = (struct stream_config){
        .camera_id = "cam-001", .name = "main", .url = "push:", .password = "secret-key"};
    struct stream_params params = {.home = rig->loop,
                                   .loop = rig->loop,
                                   .allowance = &rig->allowance,
                                   .config = &rig->config,
                                   .status = on_status,
                                   .gone = on_gone,
                                   .ctx = rig};
    rig->stream = stream_start(&params);
    settle(rig);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    push_port_destroy(&rig->port);
    stream_stop(rig->stream);
    until(rig, rig->is_gone);
    assert_int_equal(rig->allowance.n_taken, 0);
    loop_destroy(&rig->loop);
    free(rig);
    return 0;
}

/* --- the encoder --- */

static void connect_encoder(struct rig *rig, struct encoder *e)
{
    struct address to;
    *e = (struct encoder){.rig = rig};
    address_parse("127.0.0.1", push_port_number(rig->port), &to);
    e->fd = socket_connect(&to, NULL);
    assert_true(e->fd >= 0);
    socket_set_nodelay(e->fd);
    settle(rig);
}

/* What has come; false when the other side hung up. */
static bool take_reply(struct encoder *e)
{
    ssize_t n = recv(e->fd, e->reply, sizeof e->reply - 1, MSG_DONTWAIT);
    e->reply[MAX(n, 0)] = '\0';
    return n != 0;
}

static bool is_hung_up(struct encoder *e)
{
    ssize_t n;
    while ((n = recv(e->fd, e->reply, sizeof e->reply, MSG_DONTWAIT)) > 0)
        continue; /* reports of ours */
    return n == 0;
}

static void ask(struct encoder *e, const char *head, const char *body, const char *expected)
{
    char text[4096];
    const char *rest = strchr(head, '\n') + 1;
    int n = snprintf(text, sizeof text, "%.*sCSeq: 3\n%sContent-Length: %zu\n\n%s",
                     (int)(rest - head), head, rest, strlen(body), body);
    assert_int_equal(send(e->fd, text, (size_t)n, MSG_NOSIGNAL), n);
    e->reply[0] = '\0';
    for (int i = 0; i < 1000 && !e->reply[0]; i++) {
        loop_turn(e->rig->loop, false);
        loop_advance(e->rig->loop, &e->rig->clock, US_PER_MS);
        take_reply(e);
    }
    if (!str_starts(e->reply, expected))
        fail_msg("expected \"%s\", got \"%s\"", expected, e->reply);
}

static void set_up_and_record(struct encoder *e)
{
    ask(e,
        "SETUP rtsp://h/cam-001/streamid=0 RTSP/1.0\n"
        "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\n",
        "", "RTSP/1.0 200 ");
    ask(e, "RECORD rtsp://h/cam-001 RTSP/1.0\n", "", "RTSP/1.0 200 ");
}

static void push(struct rig *rig, struct encoder *e)
{
    connect_encoder(rig, e);
    ask(e, "ANNOUNCE " URI " RTSP/1.0\n", SDP, "RTSP/1.0 200 ");
    set_up_and_record(e);
}

static void send_picture(struct encoder *e, bool is_key)
{
    uint8_t slice[100];
    uint8_t frame[4 + 12 + sizeof slice] = {'$', 0};
    size_t n = rig_rtp(frame + 4, 96, true, e->seq, (uint32_t)e->seq * 3600, 77, slice,
                       rig_slice(slice, is_key, sizeof slice));
    e->seq++;
    frame[2] = (uint8_t)(n >> 8);
    frame[3] = (uint8_t)n;
    assert_int_equal(send(e->fd, frame, 4 + n, MSG_NOSIGNAL), 4 + n);
    settle(e->rig);
}

static void send_pictures(struct encoder *e, int n)
{
    for (int i = 0; i < n; i++) {
        send_picture(e, i == 0);
        pass_ms(e->rig, 40);
    }
}

static void assert_status(struct rig *rig, enum stream_cause cause, const char *detail)
{
    if (rig->status.cause != cause || !str_starts(rig->status.detail, detail))
        fail_msg("%s: %s", cause_name(rig->status.cause), rig->status.detail);
}

/* --- tests --- */

static void waits_receives_and_waits_again(void **state)
{
    struct rig *rig = *state;
    struct encoder e;
    assert_status(rig, CAUSE_CONNECTING, "waits for the encoder to push to /cam-001");
    assert_false(rig->status.is_reachable);
    push(rig, &e);
    send_pictures(&e, 50);
    assert_status(rig, CAUSE_OK, "receiving H.264 640x360 over TCP");
    assert_true(rig->status.is_advancing && rig->status.is_reachable);
    close(e.fd);
    until(rig, !rig->status.is_advancing);
    assert_status(rig, CAUSE_UNREACHABLE,
                  "the encoder closed the connection; waits for the encoder to push again");
    assert_false(rig->status.is_reachable);
    assert_int_equal(rig->status.retry_us, 0);
    pass_ms(rig, 60000); /* nothing is tried */
    push(rig, &e);
    send_pictures(&e, 50);
    assert_status(rig, CAUSE_OK, "receiving H.264");
    assert_int_equal(rig->status.n_reconnects, 1);
    close(e.fd);
}

static void says_when_nobody_comes(void **state)
{
    struct rig *rig = *state;
    pass_ms(rig, 29000);
    assert_status(rig, CAUSE_CONNECTING, "waits for the encoder");
    pass_ms(rig, 2000);
    assert_status(rig, CAUSE_UNREACHABLE, "no encoder has come; it pushes to /cam-001, ");
}

static void refuses_a_second_encoder_unless_the_first_is_silent(void **state)
{
    struct rig *rig = *state;
    struct encoder first, second;
    push(rig, &first);
    send_pictures(&first, 50);
    connect_encoder(rig, &second);
    ask(&second, "ANNOUNCE " URI " RTSP/1.0\n", SDP, "RTSP/1.0 453 Busy");
    assert_non_null(strstr(second.reply, "CSeq: 3\r\n"));
    close(second.fd);
    send_pictures(&first, 5);
    assert_status(rig, CAUSE_OK, "receiving");
    pass_ms(rig, 3500);
    push(rig, &second);
    send_pictures(&second, 50);
    assert_status(rig, CAUSE_OK, "receiving");
    assert_true(is_hung_up(&first));
    close(first.fd);
    close(second.fd);
}

static void begins_anew_when_the_encoder_announces_again(void **state)
{
    struct rig *rig = *state;
    struct encoder e;
    push(rig, &e);
    send_pictures(&e, 50);
    ask(&e, "ANNOUNCE " URI " RTSP/1.0\n", SDP, "RTSP/1.0 200 ");
    assert_false(rig->status.is_advancing);
    set_up_and_record(&e);
    send_pictures(&e, 50);
    assert_status(rig, CAUSE_OK, "receiving");
    assert_int_equal(rig->status.n_reconnects, 1);
    close(e.fd);
}

static void says_when_there_is_no_descriptor_for_an_encoder(void **state)
{
    struct rig *rig = *state;
    struct encoder e;
    allowance_init(&rig->allowance, 1); /* to knock, and no more */
    connect_encoder(rig, &e);
    ask(&e, "ANNOUNCE " URI " RTSP/1.0\n", SDP, "RTSP/1.0 503 ");
    assert_true(is_hung_up(&e));
    close(e.fd);
    assert_status(rig, CAUSE_INTERNAL, "this server may open no more files and connections");
    assert_non_null(strstr(rig->status.detail, "waits for the encoder to push again"));
    allowance_init(&rig->allowance, 0);
    connect_encoder(rig, &e);
    until(rig, is_hung_up(&e));
    close(e.fd);
    allowance_init(&rig->allowance, 3);
    push(rig, &e);
    send_pictures(&e, 50);
    assert_status(rig, CAUSE_OK, "receiving");
    ask(&e, "ANNOUNCE " URI " RTSP/1.0\n", SDP, "RTSP/1.0 200 "); /* keeps its own */
    assert_int_equal(rig->allowance.n_taken, 2);
    close(e.fd);
}

static void gives_up_an_encoder_that_falls_silent(void **state)
{
    struct rig *rig = *state;
    struct encoder e;
    push(rig, &e);
    send_pictures(&e, 50);
    pass_ms(rig, 12000);
    assert_status(rig, CAUSE_TIMEOUT, "no picture for 10 s; waits for the encoder");
    assert_true(is_hung_up(&e));
    close(e.fd);
}

static void hangs_up_when_the_settings_change(void **state)
{
    struct rig *rig = *state;
    struct encoder e;
    push(rig, &e);
    send_pictures(&e, 50);
    str_copy(rig->config.password, sizeof rig->config.password, "another");
    stream_configure(rig->stream, &rig->config);
    settle(rig);
    assert_true(is_hung_up(&e));
    assert_status(rig, CAUSE_CONNECTING, "waits for the encoder to push to /cam-001; last seen ");
    close(e.fd);
}

static void slows_down_who_guesses(void **state)
{
    struct rig *rig = *state;
    struct encoder e;
    for (int i = 0; i < 12; i++) {
        connect_encoder(rig, &e);
        static const char head[] = "ANNOUNCE rtsp://h/cam-001?key=x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
        assert_int_equal(send(e.fd, head, sizeof head - 1, 0), sizeof head - 1);
        settle(rig);
        assert_int_equal(rig->n_lookups, MIN(i + 1, 10));
        if (i < 11)
            close(e.fd);
    }
    pass_ms(rig, 2000); /* the last one's turn */
    assert_int_equal(rig->n_lookups, 11);
    take_reply(&e);
    assert_true(str_starts(e.reply, "RTSP/1.0 401 "));
    close(e.fd);
}

static void waits_only_so_long_and_for_so_many(void **state)
{
    struct rig *rig = *state;
    struct encoder e[PUSH_PORT_PER_ADDRESS + 1];
    for (int i = 0; i < PUSH_PORT_PER_ADDRESS; i++)
        connect_encoder(rig, &e[i]);
    assert_true(take_reply(&e[0]));
    struct address to;
    address_parse("127.0.0.1", push_port_number(rig->port), &to);
    e[PUSH_PORT_PER_ADDRESS] = (struct encoder){.fd = socket_connect(&to, NULL)};
    until(rig, !take_reply(&e[0])); /* the oldest went */
    assert_int_equal(push_port_n_waiting(rig->port), PUSH_PORT_PER_ADDRESS);
    pass_ms(rig, 21000);
    assert_int_equal(push_port_n_waiting(rig->port), 0);
    for (size_t i = 0; i < ARRAY_LEN(e); i++)
        close(e[i].fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(waits_receives_and_waits_again),
        TEST(says_when_nobody_comes),
        TEST(refuses_a_second_encoder_unless_the_first_is_silent),
        TEST(begins_anew_when_the_encoder_announces_again),
        TEST(says_when_there_is_no_descriptor_for_an_encoder),
        TEST(gives_up_an_encoder_that_falls_silent),
        TEST(hangs_up_when_the_settings_change),
        TEST(slows_down_who_guesses),
        TEST(waits_only_so_long_and_for_so_many),
    };
    return cmocka_run_group_tests_name("stream_push", tests, NULL, NULL);
}
