#include "media_rig.h"

#include "base/clock.h"
#include "media/hub.h"

struct probe {
    struct sink sink;
    struct hub *hub;
    char text[8192]; /* k = key, d = delta, a = audio, ! = discontinuity, + / - = source */
    size_t n;
    int n_gone;
    struct probe *detach_on_push; /* itself or another */
};

struct hub_rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct hub *hub;
    struct format *video, *audio;
    int n_demand, n_viewers, n_live;
    struct probe probes[4];
    size_t n_probes;
};

static void note(struct probe *p, char c)
{
    assert_true(p->n + 1 < sizeof p->text);
    p->text[p->n++] = c;
    p->text[p->n] = 0;
}

static void on_push(struct sink *sink, struct packet *pkt)
{
    struct probe *p = CONTAINER_OF(sink, struct probe, sink);
    if (pkt->is_discontinuity)
        note(p, '!');
    note(p, !pkt->is_video ? 'a' : pkt->is_key ? 'k' : 'd');
    if (p->detach_on_push)
        hub_detach(p->hub, &p->detach_on_push->sink);
}

static void on_source(struct sink *sink, bool is_up)
{
    note(CONTAINER_OF(sink, struct probe, sink), is_up ? '+' : '-');
}

static void on_gone(struct sink *sink)
{
    CONTAINER_OF(sink, struct probe, sink)->n_gone++;
}

static const struct sink_ops probe_ops = {on_push, on_source, on_gone};

static void on_demand(void *ctx, int n_viewers, int n_live)
{
    struct hub_rig *rig = ctx;
    rig->n_demand++;
    rig->n_viewers = n_viewers;
    rig->n_live = n_live;
}

static int open_rig(void **state)
{
    struct hub_rig *rig = xcalloc(1, sizeof *rig);
    clock_virtual_init(&rig->clock, 1000000);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    rig->hub = hub_create(rig->loop, "cam-1", "main", &(struct hub_owner){on_demand, rig});
    rig->video = h264_format(SPS_360, PPS_360);
    format_create_audio(CODEC_PCMA, 8000, 1, NULL, 0, &rig->audio);
    *state = rig;
    return 0;
}

static int close_rig(void **state)
{
    struct hub_rig *rig = *state;
    hub_close(rig->hub);
    loop_turn(rig->loop, false);
    hub_unref(&rig->hub);
    loop_destroy(&rig->loop);
    format_unref(&rig->video);
    format_unref(&rig->audio);
    free(rig);
    return 0;
}

/* Lives as long as the rig, so that it may stay attached to the end. */
static struct probe *probe(struct hub_rig *rig)
{
    struct probe *p = &rig->probes[rig->n_probes++];
    assert_true(rig->n_probes <= ARRAY_LEN(rig->probes));
    *p = (struct probe){.sink.ops = &probe_ops, .hub = rig->hub};
    return p;
}

static void publish(struct hub_rig *rig, char kind, size_t size)
{
    struct packet *pkt = packet_create(size);
    memset(pkt->data, kind, size);
    pkt->size = size;
    pkt->is_video = kind != 'a';
    pkt->is_key = kind == 'k';
    pkt->format = format_ref(kind == 'a' ? rig->audio : rig->video);
    hub_publish(rig->hub, pkt);
    packet_unref(&pkt);
}

static void publish_all(struct hub_rig *rig, const char *kinds)
{
    for (; *kinds; kinds++)
        publish(rig, *kinds, 100);
}

static void starts_a_viewer_with_the_kept_group(void **state)
{
    struct hub_rig *rig = *state;
    struct probe *with = probe(rig), *without = probe(rig), *keys = probe(rig);
    with->sink.wants_audio = true;
    keys->sink.keys_only = true;
    publish_all(rig, "ddkdakddad");
    hub_attach(rig->hub, &with->sink, true);
    hub_attach(rig->hub, &without->sink, false);
    hub_attach(rig->hub, &keys->sink, true);
    assert_string_equal(with->text, "kddad");
    assert_string_equal(without->text, "");
    publish_all(rig, "dakda");
    assert_string_equal(with->text, "kddaddakda");
    assert_string_equal(without->text, "kd");
    assert_string_equal(keys->text, "kk");
}

static void numbers_packets_and_leaves_holes_at_discontinuities(void **state)
{
    struct hub_rig *rig = *state;
    uint32_t want[] = {0, 1, 3};
    for (size_t i = 0; i < 3; i++) {
        struct packet *pkt = packet_create(1);
        pkt->is_video = true;
        pkt->format = format_ref(rig->video);
        pkt->lost_before = i == 2 ? 7 : 0;
        hub_publish(rig->hub, pkt);
        assert_int_equal(pkt->seq, want[i]);
        packet_unref(&pkt);
        publish(rig, 'a', 1);
    }
}

static void lets_sinks_detach_inside_a_push(void **state)
{
    struct hub_rig *rig = *state;
    struct probe *a = probe(rig), *b = probe(rig), *c = probe(rig);
    hub_attach(rig->hub, &a->sink, true);
    hub_attach(rig->hub, &b->sink, true);
    hub_attach(rig->hub, &c->sink, true);
    b->detach_on_push = a; /* a comes behind b: newest first */
    c->detach_on_push = c;
    publish_all(rig, "kd");
    assert_string_equal(a->text, "");
    assert_string_equal(b->text, "kd");
    assert_string_equal(c->text, "k");
    assert_int_equal(a->n_gone + c->n_gone, 0);
    loop_turn(rig->loop, false);
    assert_int_equal(a->n_gone, 1);
    assert_int_equal(c->n_gone, 1);
    hub_detach(rig->hub, &c->sink);
    loop_turn(rig->loop, false);
    assert_int_equal(c->n_gone, 1);
    assert_int_equal(b->n_gone, 0);

    /* also while the kept group is being pushed */
    struct probe *d = probe(rig);
    d->detach_on_push = d;
    hub_attach(rig->hub, &d->sink, true);
    assert_string_equal(d->text, "k");
    loop_turn(rig->loop, false);
    assert_int_equal(d->n_gone, 1);
}

static void forgets_the_group_when_the_source_goes(void **state)
{
    struct hub_rig *rig = *state;
    struct probe *old = probe(rig), *late = probe(rig);
    hub_attach(rig->hub, &old->sink, true);
    hub_set_up(rig->hub, true);
    hub_set_up(rig->hub, true);
    publish_all(rig, "kd");
    hub_set_up(rig->hub, false);
    assert_null(hub_newest_key(rig->hub));
    hub_attach(rig->hub, &late->sink, true);
    hub_set_up(rig->hub, true);
    publish_all(rig, "dkd");
    assert_string_equal(old->text, "+kd-+kd");
    assert_string_equal(late->text, "+kd");
    struct probe *latest = probe(rig);
    hub_attach(rig->hub, &latest->sink, false);
    assert_string_equal(latest->text, "+");
}

static void cuts_a_long_group_and_says_so(void **state)
{
    struct hub_rig *rig = *state;
    struct probe *by_count = probe(rig), *by_bytes = probe(rig), *all = probe(rig);
    hub_attach(rig->hub, &all->sink, false);
    publish(rig, 'k', 10);
    for (int i = 0; i < HUB_GOP_MAX_PACKETS + 9; i++)
        publish(rig, 'd', 10);
    hub_attach(rig->hub, &by_count->sink, true);
    assert_string_equal(by_count->text, "k!dddddddddd");
    assert_null(strchr(all->text, '!'));

    publish(rig, 'k', 10);
    for (int i = 0; i < 9; i++)
        publish(rig, 'd', 1 << 20);
    hub_attach(rig->hub, &by_bytes->sink, true);
    assert_string_equal(by_bytes->text, "k!ddd");
    assert_null(strchr(all->text, '!'));
}

static void keeps_a_key_frame_of_any_size(void **state)
{
    struct hub_rig *rig = *state;
    publish(rig, 'k', HUB_GOP_MAX_BYTES + 1);
    struct packet *key = hub_newest_key(rig->hub);
    assert_int_equal(key->size, HUB_GOP_MAX_BYTES + 1);
    packet_unref(&key);
    publish_all(rig, "dd");
    struct probe *p = probe(rig);
    hub_attach(rig->hub, &p->sink, true);
    assert_string_equal(p->text, "k!d");
}

static void reports_demand(void **state)
{
    struct hub_rig *rig = *state;
    struct probe *recorder = probe(rig), *viewer = probe(rig);
    viewer->sink.is_viewer = viewer->sink.is_live = true;
    hub_attach(rig->hub, &recorder->sink, true);
    assert_int_equal(rig->n_demand, 0);
    hub_attach(rig->hub, &viewer->sink, true);
    assert_int_equal(rig->n_viewers, 1);
    assert_int_equal(rig->n_live, 1);
    hub_detach(rig->hub, &viewer->sink);
    assert_int_equal(rig->n_viewers, 0);
    assert_int_equal(rig->n_demand, 2);
    publish_all(rig, "kd");
    struct hub_stats stats;
    hub_stats(rig->hub, &stats);
    assert_int_equal(stats.n_packets, 2);
    assert_int_equal(stats.n_keys, 1);
    assert_int_equal(stats.n_bytes, 200);
    assert_int_equal(stats.n_sinks, 1);
    assert_string_equal(hub_camera_id(rig->hub), "cam-1");
    assert_string_equal(hub_stream(rig->hub), "main");
    assert_ptr_equal(hub_loop(rig->hub), rig->loop);
}

static void tells_every_sink_when_it_closes(void **state)
{
    struct hub_rig *rig = *state;
    struct probe *before = probe(rig), *after = probe(rig);
    hub_attach(rig->hub, &before->sink, true);
    hub_close(rig->hub);
    hub_attach(rig->hub, &after->sink, true);
    hub_detach(rig->hub, &before->sink);
    hub_detach(rig->hub, &after->sink);
    loop_turn(rig->loop, false);
    assert_int_equal(before->n_gone, 1);
    assert_int_equal(after->n_gone, 1);
}

#define HUB_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(starts_a_viewer_with_the_kept_group),
        HUB_TEST(numbers_packets_and_leaves_holes_at_discontinuities),
        HUB_TEST(lets_sinks_detach_inside_a_push),
        HUB_TEST(forgets_the_group_when_the_source_goes),
        HUB_TEST(cuts_a_long_group_and_says_so),
        HUB_TEST(keeps_a_key_frame_of_any_size),
        HUB_TEST(reports_demand),
        HUB_TEST(tells_every_sink_when_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
