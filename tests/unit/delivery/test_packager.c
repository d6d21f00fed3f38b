#include "delivery_rig.h"

#include "base/mem.h"
#include "delivery/packager.h"
#include "media/fmp4.h"

struct watcher {
    struct viewer viewer;
    int n_inits, n_pictures, n_sounds, n_keys, n_gone, n_downs;
    int64_t newest; /* number of the newest picture */
    int mark;       /* of the format */
    bool has_audio;
    bool first_is_key, is_hole;
    int detach_after; /* pictures; 0 = never */
    struct fragment *last;
};

struct rig {
    struct rig_clock clock;
    struct packager_table *table;
    struct hub *hub;
    struct format *video, *audio;
    bool is_stopped;
    int n_demand;
    int64_t next;
};

static int64_t number_of(const struct packet *pkt)
{
    int64_t i = 0;
    memcpy(&i, pkt->data, 8);
    return i;
}

static void on_init(struct viewer *v, struct fragment *f)
{
    struct watcher *w = CONTAINER_OF(v, struct watcher, viewer);
    w->n_inits++;
    w->mark = rig_mark(f->video);
    w->has_audio = f->audio != NULL;
    assert_null(f->pkt);
}

static void on_push(struct viewer *v, struct fragment *f)
{
    struct watcher *w = CONTAINER_OF(v, struct watcher, viewer);
    assert_true(w->n_inits > 0);
    if (f->is_audio) {
        w->n_sounds++;
        return;
    }
    if (w->n_pictures++ == 0)
        w->first_is_key = f->is_key;
    w->n_keys += f->is_key;
    w->newest = number_of(f->pkt);
    w->is_hole = f->is_discontinuity;
    fragment_unref(&w->last);
    w->last = fragment_ref(f);
    if (w->detach_after && w->n_pictures == w->detach_after)
        packager_detach(v);
}

static void on_source(struct viewer *v, bool is_up)
{
    CONTAINER_OF(v, struct watcher, viewer)->n_downs += !is_up;
}

static void on_gone(struct viewer *v)
{
    CONTAINER_OF(v, struct watcher, viewer)->n_gone++;
}

static const struct viewer_ops ops = {on_init, on_push, on_source, on_gone};

static void on_demand(void *ctx, int n_viewers, int n_live)
{
    (void)n_live;
    ((struct rig *)ctx)->n_demand = n_viewers;
}

static void set_flag(void *ctx)
{
    *(bool *)ctx = true;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig_clock_init(&rig->clock);
    rig->table = packager_table_create(rig->clock.loop);
    rig->hub = hub_create(rig->clock.loop, "cam-001", "main",
                          &(struct hub_owner){.demand = on_demand, .ctx = rig});
    hub_set_up(rig->hub, true);
    rig->video = rig_video(16);
    rig->audio = rig_audio();
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    packager_table_stop(rig->table, set_flag, &rig->is_stopped);
    rig_settle(&rig->clock);
    assert_true(rig->is_stopped);
    hub_close(rig->hub);
    hub_unref(&rig->hub);
    rig_clock_fini(&rig->clock);
    format_unref(&rig->video);
    format_unref(&rig->audio);
    free(rig);
    return 0;
}

static void publish(struct rig *rig, int n)
{
    for (int i = 0; i < n; i++) {
        struct packet *pkt = rig_picture(rig->video, rig->next++, 100);
        hub_publish(rig->hub, pkt);
        packet_unref(&pkt);
    }
    rig_settle(&rig->clock);
}

static void watch(struct rig *rig, struct watcher *w)
{
    w->viewer.ops = &ops;
    packager_attach(rig->table, rig->hub, &w->viewer);
    rig_settle(&rig->clock);
}

static void leave(struct watcher *w)
{
    packager_detach(&w->viewer);
    fragment_unref(&w->last);
}

static void the_first_viewer_gets_the_group_the_hub_kept(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 27);
    watch(rig, &w);
    assert_int_equal(w.n_inits, 1);
    assert_true(w.first_is_key);
    assert_int_equal(w.n_pictures, 7);
    publish(rig, 1);
    assert_int_equal(w.newest, 27);
    leave(&w);
}

static void a_later_viewer_gets_a_picture_within_the_call(void **state)
{
    struct rig *rig = *state;
    struct watcher a = {0}, b = {.viewer.ops = &ops};
    publish(rig, 5);
    watch(rig, &a);
    packager_attach(rig->table, rig->hub, &b.viewer);
    assert_int_equal(b.n_inits, 1);
    assert_int_equal(b.n_pictures, 5);
    publish(rig, 3);
    assert_int_equal(b.n_pictures, 8);
    assert_ptr_equal(a.last, b.last); /* packaged once, shared */
    leave(&a);
    leave(&b);
}

static void fragments_are_what_a_reader_expects(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 23);
    watch(rig, &w);
    struct fmp4_read_fragment read = {0};
    size_t need;
    assert_int_equal(fmp4_read_fragment(w.last->head, w.last->head_size, &read, &need, NULL), 1);
    assert_int_equal(read.n_samples, 1);
    assert_int_equal(read.samples[0].size, w.last->pkt->size);
    assert_int_equal(read.samples[0].offset, w.last->head_size);
    assert_int_equal(read.samples[0].dts, w.last->dts);
    assert_int_equal(w.last->dts, 2 * 9000); /* begins near 0: the third picture of the group */
    assert_int_equal(read.size, fragment_size(w.last));
    fmp4_read_fragment_fini(&read);
    leave(&w);
}

static void a_new_format_comes_with_a_new_init_segment(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 20);
    watch(rig, &w);
    format_unref(&rig->video);
    rig->video = rig_higher_video(32);
    publish(rig, 1);
    assert_int_equal(w.n_inits, 2);
    assert_int_equal(w.mark, 32);
    assert_int_equal(w.newest, 20);
    leave(&w);
}

static void pictures_of_a_format_without_key_frame_are_left_out(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 5);
    watch(rig, &w);
    format_unref(&rig->video);
    rig->video = rig_higher_video(32);
    publish(rig, 5);
    assert_int_equal(w.newest, 4);
    publish(rig, 11);
    assert_int_equal(w.n_inits, 2);
    assert_int_equal(w.newest, 20);
    leave(&w);
}

/* A camera that changes its parameter sets all the time: viewers are not begun anew, the sets come
 * in front of the picture. */
static void parameter_sets_that_fit_come_in_the_stream(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0}, late = {0};
    publish(rig, 20);
    watch(rig, &w);
    publish(rig, 1);
    size_t plain = w.last->pkt->size;
    for (int i = 0; i < 10; i++) {
        publish(rig, 9);
        format_unref(&rig->video);
        rig->video = rig_video(32 + i % 2);
        publish(rig, 1); /* in the middle of a group: the PPS alone */
        assert_int_equal(w.last->pkt->size, plain + 4 + 5);
        publish(rig, 10);
        assert_true(w.last->is_key);
        assert_int_equal(w.last->pkt->size, plain + 4 + 5 + 4 + 25);
    }
    assert_int_equal(w.n_inits, 1);
    watch(rig, &late); /* begins at a key frame that brings its own */
    assert_int_equal(late.n_inits, 1);
    assert_int_equal(late.mark, 16);
    assert_true(late.last->pkt->size > plain);
    leave(&late);
    leave(&w);
}

static void lost_packets_are_marked(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 3);
    watch(rig, &w);
    assert_false(w.is_hole);
    struct packet *pkt = rig_picture(rig->video, rig->next++, 100);
    pkt->lost_before = 2;
    hub_publish(rig->hub, pkt);
    packet_unref(&pkt);
    rig_settle(&rig->clock);
    assert_true(w.is_hole);
    publish(rig, 1);
    assert_false(w.is_hole);
    leave(&w);
}

static void what_the_relay_could_not_carry_is_marked(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 1);
    watch(rig, &w);
    for (int i = 0; i < 2200; i++) { /* more than the relay holds, and nobody takes them */
        struct packet *pkt = rig_picture(rig->video, rig->next++, 10);
        hub_publish(rig->hub, pkt);
        packet_unref(&pkt);
    }
    rig_settle(&rig->clock);
    assert_in_range(w.n_pictures, 1500, 2150);
    assert_false(w.is_hole);
    rig->next = 2220;
    publish(rig, 1);
    assert_int_equal(w.newest, 2220);
    assert_true(w.is_hole);
    leave(&w);
}

static void sound_comes_only_to_those_who_want_it(void **state)
{
    struct rig *rig = *state;
    struct watcher with = {.viewer.wants_audio = true}, without = {0};
    publish(rig, 5);
    watch(rig, &with);
    watch(rig, &without);
    assert_false(with.has_audio);
    for (int64_t i = 0; i < 3; i++) {
        struct packet *pkt = rig_sound(rig->audio, i);
        hub_publish(rig->hub, pkt);
        packet_unref(&pkt);
    }
    rig_settle(&rig->clock);
    assert_int_equal(with.n_sounds, 0); /* its init segment has no sound yet */
    publish(rig, 16);
    assert_int_equal(with.n_inits, 2);
    assert_true(with.has_audio);
    struct packet *pkt = rig_sound(rig->audio, 3);
    hub_publish(rig->hub, pkt);
    packet_unref(&pkt);
    rig_settle(&rig->clock);
    assert_int_equal(with.n_sounds, 1);
    assert_int_equal(without.n_sounds, 0);
    assert_int_equal(without.n_inits, 1);
    leave(&with);
    leave(&without);
}

static void check_plain_sound(struct rig *rig, enum codec codec)
{
    struct watcher w = {.viewer.wants_audio = true};
    struct format *plain = NULL;
    assert_int_equal(format_create_audio(codec, 8000, 1, NULL, 0, &plain), 0);
    publish(rig, 1);
    for (int64_t i = 0; i < 3; i++) {
        struct packet *pkt = rig_sound(plain, i);
        hub_publish(rig->hub, pkt);
        packet_unref(&pkt);
        publish(rig, 20);
        if (i == 0)
            watch(rig, &w);
    }
    rig_settle(&rig->clock);
    assert_true(w.has_audio);
    assert_true(w.n_sounds > 0);
    leave(&w);
    format_unref(&plain);
}

static void g711_goes_out_as_it_is(void **state)
{
    check_plain_sound(*state, CODEC_PCMA);
}

static void M2_16_bit_samples_go_out_as_they_are(void **state)
{
    check_plain_sound(*state, CODEC_S16LE);
}

static void lingers_and_then_lets_the_hub_go(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    watch(rig, &w);
    assert_int_equal(rig->n_demand, 1);
    leave(&w);
    rig_advance_ms(&rig->clock, PACKAGER_LINGER_MS - 100);
    assert_int_equal(rig->n_demand, 1);
    watch(rig, &w); /* somebody comes back in time */
    rig_advance_ms(&rig->clock, PACKAGER_LINGER_MS + 100);
    assert_int_equal(rig->n_demand, 1);
    leave(&w);
    rig_advance_ms(&rig->clock, PACKAGER_LINGER_MS + 100);
    assert_int_equal(rig->n_demand, 0);
}

static void viewers_may_leave_in_the_middle(void **state)
{
    struct rig *rig = *state;
    struct watcher a = {.detach_after = 3}, b = {.detach_after = 5}, c = {0};
    publish(rig, 4);
    watch(rig, &a);
    watch(rig, &b);
    watch(rig, &c);
    publish(rig, 4);
    assert_int_equal(a.n_pictures, 3);
    assert_int_equal(b.n_pictures, 5);
    assert_int_equal(c.n_pictures, 8);
    leave(&a);
    leave(&b);
    leave(&c);
}

static void when_the_source_goes_down_the_old_picture_is_forgotten(void **state)
{
    struct rig *rig = *state;
    struct watcher a = {0}, b = {0};
    publish(rig, 5);
    watch(rig, &a);
    hub_set_up(rig->hub, false);
    rig_settle(&rig->clock);
    assert_int_equal(a.n_downs, 1);
    watch(rig, &b);
    assert_int_equal(b.n_pictures, 0);
    hub_set_up(rig->hub, true);
    rig->next = 20;
    publish(rig, 1);
    assert_int_equal(b.n_pictures, 1);
    leave(&a);
    leave(&b);
}

static void viewers_learn_that_the_hub_is_gone(void **state)
{
    struct rig *rig = *state;
    struct watcher w = {0};
    publish(rig, 5);
    watch(rig, &w);
    hub_close(rig->hub);
    rig_settle(&rig->clock);
    assert_int_equal(w.n_gone, 1);
    assert_null(w.viewer.packager);
    leave(&w);
}

static void of_a_group_too_long_the_key_frame_is_kept(void **state)
{
    struct rig *rig = *state;
    struct watcher a = {0}, b = {0};
    watch(rig, &a);
    struct packet *pkt = rig_picture(rig->video, 0, 1 << 20);
    hub_publish(rig->hub, pkt);
    packet_unref(&pkt);
    for (int64_t i = 1; i < 12; i++) {
        pkt = rig_picture(rig->video, i, 1 << 20);
        hub_publish(rig->hub, pkt);
        packet_unref(&pkt);
    }
    rig_settle(&rig->clock);
    assert_int_equal(a.n_pictures, 12);
    watch(rig, &b);
    assert_int_equal(b.n_pictures, 1);
    rig->next = 12;
    publish(rig, 3);
    assert_int_equal(b.n_pictures, 1);
    rig->next = 20;
    publish(rig, 2);
    assert_int_equal(b.n_pictures, 3);
    leave(&a);
    leave(&b);
}

static void counts_each_viewer(void **state)
{
    struct rig *rig = *state;
    struct watcher a = {0}, b = {0};
    assert_int_equal(packager_viewers(rig->table, rig->hub), 0);
    watch(rig, &a);
    watch(rig, &b);
    assert_int_equal(packager_viewers(rig->table, rig->hub), 2);
    packager_detach(&a.viewer);
    assert_int_equal(packager_viewers(rig->table, rig->hub), 1);
    packager_detach(&b.viewer);
    assert_int_equal(packager_viewers(rig->table, rig->hub), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(counts_each_viewer),
        T(the_first_viewer_gets_the_group_the_hub_kept),
        T(a_later_viewer_gets_a_picture_within_the_call),
        T(fragments_are_what_a_reader_expects),
        T(a_new_format_comes_with_a_new_init_segment),
        T(pictures_of_a_format_without_key_frame_are_left_out),
        T(parameter_sets_that_fit_come_in_the_stream),
        T(lost_packets_are_marked),
        T(what_the_relay_could_not_carry_is_marked),
        T(sound_comes_only_to_those_who_want_it),
        T(g711_goes_out_as_it_is),
        T(M2_16_bit_samples_go_out_as_they_are),
        T(lingers_and_then_lets_the_hub_go),
        T(viewers_may_leave_in_the_middle),
        T(when_the_source_goes_down_the_old_picture_is_forgotten),
        T(viewers_learn_that_the_hub_is_gone),
        T(of_a_group_too_long_the_key_frame_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
