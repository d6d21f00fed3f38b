#include "media_rig.h"

#include <pthread.h>
#include <semaphore.h>

#include "media/relay.h"

/* --- one loop for both sides: what is handed over, and when --- */

struct relay_rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct hub *hub;
    struct format *video;
    struct relay *relay;
    char text[8192];
    size_t n;
    int n_gone;
    size_t stop_after; /* pushes; 0 = never */
};

static void note(struct relay_rig *rig, char c)
{
    assert_true(rig->n + 1 < sizeof rig->text);
    rig->text[rig->n++] = c;
    rig->text[rig->n] = 0;
}

static void on_push(void *ctx, struct packet *pkt)
{
    struct relay_rig *rig = ctx;
    note(rig, !pkt->is_video ? 'a' : pkt->is_key ? 'k' : 'd');
    if (rig->n == rig->stop_after)
        relay_stop(rig->relay);
}

static void on_source(void *ctx, bool is_up)
{
    note(ctx, is_up ? '+' : '-');
}

static void on_gone(void *ctx)
{
    ((struct relay_rig *)ctx)->n_gone++;
}

static int open_rig(void **state)
{
    struct relay_rig *rig = xcalloc(1, sizeof *rig);
    clock_virtual_init(&rig->clock, 1000000);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    rig->hub = hub_create(rig->loop, "cam-1", "main", NULL);
    rig->video = h264_format(SPS_360, PPS_360);
    *state = rig;
    return 0;
}

static void turn(struct relay_rig *rig)
{
    for (int i = 0; i < 4; i++)
        loop_turn(rig->loop, false);
}

static int close_rig(void **state)
{
    struct relay_rig *rig = *state;
    hub_close(rig->hub);
    turn(rig);
    assert_int_equal(rig->n_gone, 1);
    hub_unref(&rig->hub);
    loop_destroy(&rig->loop);
    assert_int_equal(atomic_load(&rig->video->refs.n), 1); /* every packet is released */
    format_unref(&rig->video);
    free(rig);
    return 0;
}

static void start(struct relay_rig *rig)
{
    rig->relay = relay_start(&(struct relay_params){.hub = rig->hub,
                                                    .far = rig->loop,
                                                    .wants_audio = true,
                                                    .push = on_push,
                                                    .source_changed = on_source,
                                                    .gone = on_gone,
                                                    .ctx = rig});
    turn(rig);
}

static void publish(struct hub *hub, struct format *f, char kind, size_t size)
{
    struct packet *pkt = packet_create(size);
    memset(pkt->data, kind, size);
    pkt->size = size;
    pkt->is_video = kind != 'a';
    pkt->is_key = kind == 'k';
    pkt->format = format_ref(f);
    hub_publish(hub, pkt);
    packet_unref(&pkt);
}

static void publish_all(struct relay_rig *rig, const char *kinds, size_t size)
{
    for (; *kinds; kinds++)
        publish(rig->hub, rig->video, *kinds, size);
}

static void hands_over_in_order_with_the_kept_group(void **state)
{
    struct relay_rig *rig = *state;
    hub_set_up(rig->hub, true);
    publish_all(rig, "kdd", 10);
    start(rig);
    assert_string_equal(rig->text, "+kdd");
    publish_all(rig, "dakd", 10);
    hub_set_up(rig->hub, false);
    hub_set_up(rig->hub, true);
    publish_all(rig, "dk", 10);
    assert_string_equal(rig->text, "+kdd");
    turn(rig);
    assert_string_equal(rig->text, "+kdddakd-+k");
}

static void drops_to_the_next_key_when_full(void **state)
{
    struct relay_rig *rig = *state;
    start(rig);
    for (int i = 0; i < RELAY_MAX_PACKETS + 10; i++)
        publish(rig->hub, rig->video, i == 0 ? 'k' : 'd', 10);
    turn(rig);
    assert_int_equal(rig->n, RELAY_MAX_PACKETS);
    assert_int_equal(relay_dropped(rig->relay), 10);
    publish_all(rig, "ddkd", 10);
    turn(rig);
    assert_string_equal(rig->text + RELAY_MAX_PACKETS, "kd");
    assert_int_equal(relay_dropped(rig->relay), 12);
}

static void is_bounded_in_bytes_but_passes_one_big_packet(void **state)
{
    struct relay_rig *rig = *state;
    start(rig);
    publish_all(rig, "kddd", 7 << 20);
    turn(rig);
    assert_string_equal(rig->text, "kd");
    assert_int_equal(relay_dropped(rig->relay), 2);
    hub_set_up(rig->hub, true);
    turn(rig);
    assert_string_equal(rig->text, "kd+");
}

static void pushes_nothing_after_stop(void **state)
{
    struct relay_rig *rig = *state;
    rig->stop_after = 2;
    start(rig);
    publish_all(rig, "kdddd", 10);
    turn(rig);
    assert_string_equal(rig->text, "kd");
    assert_int_equal(rig->n_gone, 1);
    publish_all(rig, "kd", 10);
    turn(rig);
    assert_string_equal(rig->text, "kd");
}

static void survives_stop_and_close_at_once(void **state)
{
    struct relay_rig *rig = *state;
    start(rig);
    publish_all(rig, "kd", 10);
    hub_close(rig->hub);
    relay_stop(rig->relay);
    relay_stop(rig->relay);
    turn(rig);
    assert_int_equal(rig->n_gone, 1);
    assert_string_equal(rig->text, "");
}

static void is_gone_when_the_hub_was_closed_before(void **state)
{
    struct relay_rig *rig = *state;
    hub_close(rig->hub);
    start(rig);
    assert_int_equal(rig->n_gone, 1);
}

/* --- two threads --- */

enum { N_PACKETS = 2000 }; /* fewer than RELAY_MAX_PACKETS: nothing may be dropped */

struct far_end {
    struct loop *loop;
    struct hub *hub;
    struct relay *relay;
    uint32_t next_seq;
    int n_pushed, n_holes;
    sem_t seen_last, gone;
};

static void far_push(void *ctx, struct packet *pkt)
{
    struct far_end *e = ctx;
    e->n_holes += e->n_pushed > 0 && pkt->seq != e->next_seq;
    e->next_seq = pkt->seq + 1;
    e->n_pushed++;
    for (size_t i = 0; i < pkt->size; i++)
        assert_int_equal(pkt->data[i], pkt->is_key ? 'k' : 'd');
    if (pkt->seq == N_PACKETS - 1)
        sem_post(&e->seen_last);
}

static void far_gone(void *ctx)
{
    sem_post(&((struct far_end *)ctx)->gone);
}

static void far_start(void *ctx)
{
    struct far_end *e = ctx;
    e->relay = relay_start(&(struct relay_params){
        .hub = e->hub, .far = e->loop, .push = far_push, .gone = far_gone, .ctx = e});
}

static void far_stop(void *ctx)
{
    relay_stop(((struct far_end *)ctx)->relay);
}

struct near_end {
    struct hub *hub;
    struct format *format;
    int n_published;
    sem_t done;
    struct loop *loop;
};

/* A few packets per message, so that both sides run at the same time. */
static void near_publish(void *ctx)
{
    struct near_end *e = ctx;
    for (int i = 0; i < 8 && e->n_published < N_PACKETS; i++)
        publish(e->hub, e->format, e->n_published++ % 25 == 0 ? 'k' : 'd', 64);
    if (e->n_published < N_PACKETS)
        loop_post(e->loop, near_publish, e);
}

static void near_close(void *ctx)
{
    struct near_end *e = ctx;
    hub_close(e->hub);
    sem_post(&e->done);
}

static void wait_for(sem_t *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(s, &until), 0);
}

static void carries_packets_between_threads(void **state)
{
    (void)state;
    struct near_end near = {.format = h264_format(SPS_360, PPS_360)};
    near.loop = loop_create(&(struct loop_params){.name = "near"});
    near.hub = hub_create(near.loop, "cam-1", "main", NULL);
    sem_init(&near.done, 0, 0);
    struct far_end far[2];
    for (size_t i = 0; i < ARRAY_LEN(far); i++) {
        far[i] = (struct far_end){.hub = near.hub};
        far[i].loop = loop_create(&(struct loop_params){.name = "far"});
        sem_init(&far[i].seen_last, 0, 0);
        sem_init(&far[i].gone, 0, 0);
        loop_start(far[i].loop);
        loop_post(far[i].loop, far_start, &far[i]);
    }
    loop_start(near.loop);
    loop_post(near.loop, near_publish, &near);

    for (size_t i = 0; i < ARRAY_LEN(far); i++)
        wait_for(&far[i].seen_last);
    /* one stops by itself while the hub closes under both */
    loop_post(far[0].loop, far_stop, &far[0]);
    loop_post(near.loop, near_close, &near);
    wait_for(&near.done);
    for (size_t i = 0; i < ARRAY_LEN(far); i++) {
        wait_for(&far[i].gone);
        loop_stop(far[i].loop);
        loop_join(far[i].loop);
        assert_true(far[i].n_pushed > 0);
        assert_int_equal(far[i].n_holes, 0);
    }
    loop_stop(near.loop);
    loop_join(near.loop);
    hub_unref(&near.hub);
    for (size_t i = 0; i < ARRAY_LEN(far); i++)
        loop_destroy(&far[i].loop);
    loop_destroy(&near.loop);
    assert_int_equal(atomic_load(&near.format->refs.n), 1);
    format_unref(&near.format);
}

/* MJPEG: 25 key frames a second, of which a watch wants a few. */
static void takes_no_more_key_frames_than_asked_for(void **state)
{
    struct relay_rig *rig = *state;
    rig->relay = relay_start(&(struct relay_params){.hub = rig->hub,
                                                    .far = rig->loop,
                                                    .keys_only = true,
                                                    .key_interval_us = 250000,
                                                    .push = on_push,
                                                    .gone = on_gone,
                                                    .ctx = rig});
    turn(rig);
    for (int i = 0; i < 50; i++) {
        struct packet *pkt = packet_create(8);
        pkt->size = 8;
        pkt->is_video = pkt->is_key = true;
        pkt->format = format_ref(rig->video);
        pkt->arrival_mono_us = 1000000 + i * 40000;
        hub_publish(rig->hub, pkt);
        packet_unref(&pkt);
    }
    turn(rig);
    assert_string_equal(rig->text, "kkkkkkkk"); /* every seventh */
    assert_int_equal(relay_dropped(rig->relay), 0);
}

#define RELAY_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(hands_over_in_order_with_the_kept_group),
        RELAY_TEST(drops_to_the_next_key_when_full),
        RELAY_TEST(is_bounded_in_bytes_but_passes_one_big_packet),
        RELAY_TEST(takes_no_more_key_frames_than_asked_for),
        RELAY_TEST(pushes_nothing_after_stop),
        RELAY_TEST(survives_stop_and_close_at_once),
        RELAY_TEST(is_gone_when_the_hub_was_closed_before),
        cmocka_unit_test(carries_packets_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
