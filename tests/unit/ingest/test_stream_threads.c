/* Streams on a loop of their own, driven from another thread: for ThreadSanitizer, and for what
 * only shows when messages cross. */
#include "ingest/stream.h"

#include "fake_camera.h"
#include "rig.h"

#define N_STREAMS 12
#define TIMEOUT_S 20

struct rig {
    struct loop *home;   /* this thread; the camera lives here too */
    struct loop *ingest; /* a thread of its own */
    struct resolver *resolver;
    struct fake_camera *cam;
    struct stream_config config;
    struct stream_status status;
    int n_gone, n_statuses;
    bool is_over; /* no callback but gone is allowed */
    struct timer pictures, overdue;
    int n_pictures;
    bool is_overdue;
};

static void on_status(void *ctx, const struct stream_status *st, bool is_change)
{
    struct rig *rig = ctx;
    (void)is_change;
    assert_false(rig->is_over);
    rig->status = *st;
    rig->n_statuses++;
}

static void on_gone(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_gone++;
}

static struct stream *start(struct rig *rig)
{
    struct stream_params params = {.home = rig->home,
                                   .loop = rig->ingest,
                                   .resolver = rig->resolver,
                                   .config = &rig->config,
                                   .status = on_status,
                                   .gone = on_gone,
                                   .ctx = rig};
    return stream_start(&params);
}

static void on_overdue(void *ctx)
{
    ((struct rig *)ctx)->is_overdue = true;
}

static void on_pictures(void *ctx)
{
    struct rig *rig = ctx;
    if (fake_camera_counts(rig->cam)->is_playing)
        fake_camera_picture(rig->cam, rig->n_pictures++ % 10 == 0);
    timer_arm_ms(&rig->pictures, 5);
}

#define until(rig, done)                                                                           \
    do {                                                                                           \
        timer_arm_ms(&(rig)->overdue, TIMEOUT_S * 1000);                                           \
        while (!(done)) {                                                                          \
            loop_turn((rig)->home, true);                                                          \
            if ((rig)->is_overdue)                                                                 \
                fail_msg("never: %s", #done);                                                      \
        }                                                                                          \
        timer_disarm(&(rig)->overdue);                                                             \
    } while (0)

static void starts_and_stops_at_once(void **state)
{
    struct rig *rig = *state;
    struct stream *streams[N_STREAMS];
    for (int i = 0; i < N_STREAMS; i++) {
        snprintf(rig->config.camera_id, sizeof rig->config.camera_id, "cam-%d", i);
        streams[i] = start(rig);
        stream_configure(streams[i], &rig->config);
        stream_retry(streams[i]);
    }
    rig->is_over = true; /* nothing was delivered yet, and nothing may be */
    for (int i = 0; i < N_STREAMS; i++)
        stream_stop(streams[i]);
    until(rig, rig->n_gone == N_STREAMS);
}

static void plays_on_another_thread(void **state)
{
    struct rig *rig = *state;
    str_copy(rig->config.camera_id, sizeof rig->config.camera_id, "cam");
    struct stream *s = start(rig);
    struct hub *hub = hub_ref(stream_hub(s));
    timer_arm_ms(&rig->pictures, 5);
    until(rig, rig->status.cause == CAUSE_OK && rig->status.is_advancing);
    rig->config.is_on_demand = true; /* nobody watches, but it lingers */
    stream_configure(s, &rig->config);
    rig->config.is_on_demand = false;
    rig->config.transport = TRANSPORT_UDP; /* connects anew */
    stream_configure(s, &rig->config);
    until(rig, strstr(rig->status.detail, "over UDP"));
    stream_stop(s);
    rig->is_over = true;
    until(rig, rig->n_gone == 1);
    assert_string_equal(hub_camera_id(hub), "cam"); /* a reference outlives the stream */
    hub_unref(&hub);
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig->home = loop_create(NULL);
    rig->ingest = loop_create(&(struct loop_params){.name = "ingest"});
    rig->resolver = resolver_create(NULL);
    rig->cam = fake_camera_create(rig->home);
    timer_init(&rig->pictures, rig->home, on_pictures, rig);
    timer_init(&rig->overdue, rig->home, on_overdue, rig);
    str_copy(rig->config.name, sizeof rig->config.name, "main");
    snprintf(rig->config.url, sizeof rig->config.url, "rtsp://localhost:%d/x",
             fake_camera_port(rig->cam));
    loop_start(rig->ingest);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    timer_disarm(&rig->pictures);
    timer_disarm(&rig->overdue);
    loop_stop(rig->ingest);
    loop_join(rig->ingest);
    fake_camera_destroy(&rig->cam);
    resolver_destroy(&rig->resolver);
    loop_destroy(&rig->ingest);
    loop_destroy(&rig->home);
    free(rig);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_and_stops_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(plays_on_another_thread, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
