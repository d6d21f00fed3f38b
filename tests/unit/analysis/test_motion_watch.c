#include "analysis_rig.h"

#include <stdatomic.h>

#include "analysis/motion_watch.h"
#include "base/clock.h"
#include "base/mem.h"

struct rig {
    struct loop *loop;
    struct worker *worker;
    struct hub *hub;
    struct motion_watch *watch;
    bool is_gone, is_stopped;
    int n_events;
    struct event last;
};

static void on_event(void *ctx, enum motion_change change, const struct event *ev)
{
    struct rig *rig = ctx;
    (void)change;
    rig->n_events++;
    rig->last = *ev;
}

static void set_flag(void *ctx)
{
    *(bool *)ctx = true;
}

static void on_gone(void *ctx)
{
    ((struct rig *)ctx)->is_gone = true;
}

static void rig_start(struct rig *rig)
{
    *rig = (struct rig){.loop = loop_create(NULL)};
    rig->worker = worker_create(&(struct worker_params){.loop = rig->loop, .path = WORKER_PATH});
    rig->hub = hub_create(rig->loop, "cam-001", "sub", NULL);
    rig->watch = motion_watch_start(&(struct motion_watch_params){.hub = rig->hub,
                                                                  .worker = rig->worker,
                                                                  .loop = rig->loop,
                                                                  .event = on_event,
                                                                  .gone = on_gone,
                                                                  .ctx = rig});
}

static void rig_end(struct rig *rig)
{
    if (!rig->is_gone)
        motion_watch_stop(rig->watch);
    RIG_WAIT(rig->loop, rig->is_gone);
    hub_close(rig->hub);
    hub_unref(&rig->hub);
    worker_stop(rig->worker, set_flag, &rig->is_stopped);
    RIG_WAIT(rig->loop, rig->is_stopped);
    loop_destroy(&rig->loop);
}

static void publish(struct rig *rig)
{
    struct packet *key = rig_key(CODEC_H264, loop_wall_us(rig->loop));
    hub_publish(rig->hub, key);
    packet_unref(&key);
}

static struct motion_watch_stats stats_of(struct rig *rig)
{
    struct motion_watch_stats stats;
    motion_watch_stats(rig->watch, &stats);
    return stats;
}

static void looks_at_one_key_frame_per_second(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig);
    for (int i = 0; i < 20; i++)
        publish(&rig);
    RIG_WAIT(rig.loop, stats_of(&rig).n_analysed == 1);
    for (int i = 0; i < 5; i++)
        publish(&rig);
    RIG_WAIT(rig.loop, stats_of(&rig).n_keys >= 6);
    struct motion_watch_stats stats = stats_of(&rig);
    assert_int_equal(stats.n_analysed, 1);
    assert_int_equal(stats.n_left_out, stats.n_keys - 1);
    assert_int_equal(rig.n_events, 0);
    rig_end(&rig);
}

static void is_no_viewer(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig);
    publish(&rig);
    RIG_WAIT(rig.loop, stats_of(&rig).n_analysed == 1);
    struct hub_stats stats;
    hub_stats(rig.hub, &stats);
    assert_int_equal(stats.n_sinks, 1);
    assert_int_equal(stats.n_viewers, 0);
    rig_end(&rig);
}

static void rests_when_its_hub_closes(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig);
    publish(&rig);
    RIG_WAIT(rig.loop, stats_of(&rig).n_analysed == 1);
    hub_close(rig.hub);
    for (int i = 0; i < 5; i++)
        loop_turn(rig.loop, false);
    assert_false(rig.is_gone);
    rig_end(&rig);
}

static void stops_while_a_picture_is_under_way(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig);
    publish(&rig);
    RIG_WAIT(rig.loop, stats_of(&rig).n_keys == 1);
    rig_end(&rig);
}

/* As motion does that is switched off, on and off again: its owner still knows the watch. */
static void may_be_asked_to_stop_until_it_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig);
    while (!rig.is_gone) {
        motion_watch_stop(rig.watch);
        loop_turn(rig.loop, false);
    }
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_at_one_key_frame_per_second),
        cmocka_unit_test(is_no_viewer),
        cmocka_unit_test(rests_when_its_hub_closes),
        cmocka_unit_test(stops_while_a_picture_is_under_way),
        cmocka_unit_test(may_be_asked_to_stop_until_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
