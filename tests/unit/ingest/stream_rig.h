/* Shared by the tests of streams: one stream and its fake camera. Home and ingest are one loop
 * under a virtual clock; the sockets are real, on loopback. */
#ifndef TESTS_INGEST_STREAM_RIG_H
#define TESTS_INGEST_STREAM_RIG_H

#include "fake_camera.h"
#include "ingest/stream.h"
#include "rig.h"

struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct gate *gate;
    struct allowance allowance; /* plenty, unless a test takes it away */
    struct tls_client *tls;
    struct fake_camera *cam;
    struct stream *stream;
    struct stream_config config;
    struct stream_status status;
    int n_changes;
    bool is_gone;
    struct sink sink;
    int n_packets;
    bool first_was_key;
    int n_ups, n_downs;
    bool sink_is_gone;
};

static inline void on_status(void *ctx, const struct stream_status *st, bool is_change)
{
    struct rig *rig = ctx;
    assert_false(rig->is_gone);
    rig->status = *st;
    rig->n_changes += is_change;
}

static inline void on_gone(void *ctx)
{
    struct rig *rig = ctx;
    assert_false(rig->is_gone);
    rig->is_gone = true;
    rig->stream = NULL;
}

static inline void on_push(struct sink *sink, struct packet *pkt)
{
    struct rig *rig = CONTAINER_OF(sink, struct rig, sink);
    if (rig->n_packets++ == 0)
        rig->first_was_key = pkt->is_key && pkt->is_video;
}

static inline void on_source(struct sink *sink, bool is_up)
{
    struct rig *rig = CONTAINER_OF(sink, struct rig, sink);
    rig->n_ups += is_up;
    rig->n_downs += !is_up;
    rig->n_packets = 0;
}

static inline void on_sink_gone(struct sink *sink)
{
    CONTAINER_OF(sink, struct rig, sink)->sink_is_gone = true;
}

static const struct sink_ops sink_ops = {
    .push = on_push, .source_changed = on_source, .gone = on_sink_gone};

/* Lets the sockets speak until `done`, without time passing. */
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

static inline void settle(struct rig *rig)
{
    for (int i = 0; i < 200; i++)
        loop_turn(rig->loop, false);
}

static inline void pass_ms(struct rig *rig, int64_t ms)
{
    while (ms > 0) {
        int64_t step = MIN(ms, 250);
        loop_advance(rig->loop, &rig->clock, step * US_PER_MS);
        settle(rig);
        ms -= step;
    }
}

/* Lets at most max_ms pass until `done`. */
#define pass_until(rig, max_ms, done)                                                              \
    do {                                                                                           \
        for (int64_t left_ = (max_ms); !(done) && left_ > 0; left_ -= 250)                         \
            pass_ms((rig), 250);                                                                   \
        until((rig), (done));                                                                      \
    } while (0)

static inline void start(struct rig *rig)
{
    struct stream_params params = {.home = rig->loop,
                                   .loop = rig->loop,
                                   .tls = rig->tls,
                                   .gate = rig->gate,
                                   .allowance = &rig->allowance,
                                   .config = &rig->config,
                                   .status = on_status,
                                   .gone = on_gone,
                                   .ctx = rig,
                                   .seed = 42};
    rig->stream = stream_start(&params);
}

static inline void start_at(struct rig *rig, enum fake_mode mode)
{
    fake_camera_set_mode(rig->cam, mode);
    start(rig);
}

static inline void attach(struct rig *rig, bool is_live)
{
    rig->sink = (struct sink){.ops = &sink_ops, .is_viewer = true, .is_live = is_live};
    hub_attach(stream_hub(rig->stream), &rig->sink, true);
}

static inline void await_playing(struct rig *rig)
{
    until(rig, fake_camera_counts(rig->cam)->is_playing);
    until(rig, str_starts(rig->status.detail, "connected; waiting"));
}

static inline void pictures(struct rig *rig, int n, bool starts_with_key)
{
    for (int i = 0; i < n; i++) {
        fake_camera_picture(rig->cam, starts_with_key && i == 0);
        pass_ms(rig, 40);
    }
}

static inline void play(struct rig *rig)
{
    start_at(rig, FAKE_OK);
    await_playing(rig);
    pictures(rig, 50, true);
    until(rig, rig->status.cause == CAUSE_OK);
}

static inline int n_connections(const struct rig *rig)
{
    return fake_camera_counts(rig->cam)->n_connections;
}

static inline int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    clock_virtual_init(&rig->clock, INT64_C(1800000000) * US_PER_S);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    rig->gate = gate_create(rig->loop, 16);
    allowance_init(&rig->allowance, 1000);
    assert_int_equal(tls_client_create(&rig->tls, NULL), 0);
    rig->cam = fake_camera_create(rig->loop);
    str_copy(rig->config.camera_id, sizeof rig->config.camera_id, "cam-1");
    str_copy(rig->config.name, sizeof rig->config.name, "main");
    str_copy(rig->config.username, sizeof rig->config.username, "admin");
    str_copy(rig->config.password, sizeof rig->config.password, "secret");
    snprintf(rig->config.url, sizeof rig->config.url, "rtsp://127.0.0.1:%d/x",
             fake_camera_port(rig->cam));
    *state = rig;
    return 0;
}

static inline int teardown(void **state)
{
    struct rig *rig = *state;
    if (rig->stream) {
        stream_stop(rig->stream);
        pass_ms(rig, 2000);
        until(rig, rig->is_gone);
    }
    assert_int_equal(rig->allowance.n_taken, 0);
    tls_client_destroy(&rig->tls);
    fake_camera_destroy(&rig->cam);
    gate_destroy(&rig->gate);
    loop_destroy(&rig->loop);
    free(rig);
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
