/* live.mp4, clips and the wall over the real HTTP server, on loopback and a virtual clock. */
#include "delivery_rig.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "delivery/clip_answer.h"
#include "delivery/live.h"
#include "delivery/wall.h"
#include "http_rig.h"
#include "media/hub.h"

struct answers {
    struct rig http; /* first: the handler gets its address */
    struct packager_table *packagers;
    struct hub *hub;
    struct format *video;
    struct wall *wall;
    struct rig_source source;
    struct rig_run runs[2];
    int64_t clip_from, clip_to;
    int n_live_closed, n_clips_closed, n_conns_closed, n_stopped;
    struct live_stats live;
    uint64_t clip_bytes;
    int clip_code;
};

static void on_live_closed(void *ctx, const struct live_stats *stats)
{
    struct answers *a = ctx;
    a->n_live_closed++;
    a->live = *stats;
}

static void on_clip_closed(void *ctx, uint64_t n_bytes, const struct err *err)
{
    struct answers *a = ctx;
    a->n_clips_closed++;
    a->clip_bytes = n_bytes;
    a->clip_code = err ? err->code : 0;
}

static void start_clip(struct answers *a, struct http_request *req)
{
    clip_answer_start(&(struct clip_answer_params){.req = req,
                                                   .loop = a->http.loop,
                                                   .pool = a->http.pool,
                                                   .clip = {.source = &a->source.source,
                                                            .camera_id = "cam-001",
                                                            .from_us = rig_time(a->clip_from),
                                                            .to_us = rig_time(a->clip_to)},
                                                   .closed = on_clip_closed,
                                                   .ctx = a});
}

static void handle(void *ctx, struct http_request *req)
{
    struct answers *a = ctx;
    if (!strcmp(req->path, "/live.mp4"))
        live_start(&(struct live_params){.packagers = a->packagers,
                                         .hub = a->hub,
                                         .loop = a->http.loop,
                                         .req = req,
                                         .without_audio = !http_query(req, "audio"),
                                         .closed = on_live_closed,
                                         .ctx = a});
    else if (!strcmp(req->path, "/clip.mp4"))
        start_clip(a, req);
    else
        wall_accept(a->wall, req, a);
}

static int resolve(void *ctx, void *user, const char *camera, const char *stream,
                   enum wall_action action, struct wall_grant *out)
{
    struct answers *a = ctx;
    (void)user, (void)camera, (void)stream, (void)action;
    out->hub = hub_ref(a->hub);
    str_copy(out->stream, sizeof out->stream, "main");
    str_copy(out->state.cause, sizeof out->state.cause, "ok");
    return 0;
}

static void on_conn_closed(void *ctx, void *user)
{
    assert_ptr_equal(ctx, user);
    ((struct answers *)ctx)->n_conns_closed++;
}

static int setup(void **state)
{
    struct answers *a = xcalloc(1, sizeof *a);
    struct pool *pool = pool_create(&(struct pool_params){.n_threads = 1});
    rig_init(&a->http, &(struct http_server_params){.handler = handle, .pool = pool});
    a->packagers = packager_table_create(a->http.loop);
    a->hub = hub_create(a->http.loop, "cam-001", "main", NULL);
    hub_set_up(a->hub, true);
    a->video = rig_video(16);
    struct wall_host host = {.resolve = resolve, .conn_closed = on_conn_closed, .ctx = a};
    a->wall = wall_create(&(struct wall_params){
        .loop = a->http.loop, .pool = pool, .packagers = a->packagers, .host = &host});
    a->runs[0] = (struct rig_run){.from = 0, .to = 200, .mark = 16};
    a->runs[1] = (struct rig_run){.from = 600, .to = 20000, .mark = 16};
    rig_source_init(&a->source, a->runs, 2);
    a->clip_from = 5;
    a->clip_to = 700;
    *state = a;
    return 0;
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static int teardown(void **state)
{
    struct answers *a = *state;
    http_server_destroy(&a->http.server);
    wall_stop(a->wall, count, &a->n_stopped);
    rig_until(&a->http, &a->n_stopped, 1);
    packager_table_stop(a->packagers, count, &a->n_stopped);
    rig_until(&a->http, &a->n_stopped, 2);
    hub_close(a->hub);
    hub_unref(&a->hub);
    format_unref(&a->video);
    rig_fini(&a->http);
    rig_source_fini(&a->source);
    free(a);
    return 0;
}

static void publish(struct answers *a, int64_t from, int64_t to, size_t size)
{
    for (int64_t i = from; i < to; i++) {
        struct packet *pkt = rig_picture(a->video, i, size);
        hub_publish(a->hub, pkt);
        packet_unref(&pkt);
    }
}

static void ask(struct answers *a, struct client *c, const char *what, const char *more)
{
    char text[512];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: h\r\n%s\r\n", what, more);
    client_open(&a->http, c);
    client_say(c, text);
}

static void live_begins_at_once_and_goes_on(void **state)
{
    struct answers *a = *state;
    struct client c;
    publish(a, 0, 5, 1000);
    ask(a, &c, "GET /live.mp4", "");
    client_expect(&c, "HTTP/1.1 200");
    client_expect(&c, "video/mp4");
    client_expect(&c, "ftyp");
    client_expect(&c, "avcC");
    for (int i = 0; i < 5; i++)
        client_expect(&c, "moof");
    publish(a, 5, 6, 1000);
    client_expect(&c, "moof");
    client_expect(&c, "mdat");
    client_close(&c);
    rig_until(&a->http, &a->n_live_closed, 1);
    assert_int_equal(a->live.n_pictures, 6);
    assert_int_equal(a->live.n_dropped, 0);
}

static void live_with_sound_waits_only_until_it_is_heard(void **state)
{
    struct answers *a = *state;
    struct client c;
    struct format *aac = rig_audio();
    publish(a, 0, 3, 1000);
    struct packet *pkt = rig_sound(aac, 0);
    hub_publish(a->hub, pkt);
    packet_unref(&pkt);
    format_unref(&aac);
    ask(a, &c, "GET /live.mp4?audio=1", "");
    for (int i = 0; i < 10; i++)
        rig_turns(&a->http);
    publish(a, 3, 4, 1000);
    client_expect(&c, "mp4a"); /* the virtual clock stands still */
    for (int i = 0; i < 5; i++)
        client_expect(&c, "moof");
    client_close(&c);

    struct client silent;
    hub_set_up(a->hub, false);
    hub_set_up(a->hub, true);
    rig_until(&a->http, &a->n_live_closed, 1);
    loop_advance(a->http.loop, &a->http.clock, (PACKAGER_LINGER_MS + 10) * US_PER_MS);
    publish(a, 20, 23, 1000);
    ask(a, &silent, "GET /live.mp4?audio=1", "");
    rig_turns(&a->http);
    loop_advance(a->http.loop, &a->http.clock, 2 * US_PER_S);
    client_expect(&silent, "avcC");
    for (int i = 0; i < 3; i++)
        client_expect(&silent, "moof");
    client_close(&silent);
    rig_until(&a->http, &a->n_live_closed, 2);
}

static void live_without_pictures_is_503(void **state)
{
    struct answers *a = *state;
    struct client c;
    ask(a, &c, "GET /live.mp4", "");
    for (int i = 0; i < 50; i++)
        rig_turns(&a->http);
    loop_advance(a->http.loop, &a->http.clock, (LIVE_FIRST_PICTURE_MS + 10) * US_PER_MS);
    client_expect(&c, "HTTP/1.1 503");
    client_close(&c);
    rig_until(&a->http, &a->n_live_closed, 1);
}

static void live_ends_when_the_camera_is_removed(void **state)
{
    struct answers *a = *state;
    struct client c;
    publish(a, 0, 1, 100);
    ask(a, &c, "GET /live.mp4", "");
    client_expect(&c, "moof");
    hub_close(a->hub);
    client_expect(&c, "\r\n0\r\n\r\n");
    rig_until(&a->http, &a->n_live_closed, 1);
    client_close(&c);
}

static void a_slow_live_reader_loses_pictures_up_to_a_key_frame(void **state)
{
    struct answers *a = *state;
    struct client c;
    publish(a, 0, 1, 1000);
    ask(a, &c, "GET /live.mp4", "");
    client_expect(&c, "moof");
    /* far more than any socket buffer takes; the client reads nothing meanwhile */
    for (int64_t i = 1; i < 60; i++) {
        publish(a, i, i + 1, 600000);
        loop_turn(a->http.loop, false);
    }
    for (int i = 0; i < 400; i++)
        client_take(&c, c.got.len); /* turns */
    client_close(&c);
    rig_until(&a->http, &a->n_live_closed, 1);
    assert_true(a->live.n_dropped > 10);
    assert_true(a->live.n_pictures + a->live.n_dropped == 60);
}

static void a_clip_has_length_and_gaps(void **state)
{
    struct answers *a = *state;
    struct client c;
    ask(a, &c, "GET /clip.mp4", "");
    client_expect(&c, "HTTP/1.1 200");
    client_expect(&c, "\r\n\r\n");
    client_close(&c);
    rig_until(&a->http, &a->n_clips_closed, 1);

    ask(a, &c, "HEAD /clip.mp4", "");
    client_expect(&c, "HTTP/1.1 200");
    client_expect(&c, ";timeout");
    client_expect(&c, "\r\n\r\n");
    client_close(&c);
    rig_until(&a->http, &a->n_clips_closed, 2);
}

static uint64_t clip_length(struct answers *a)
{
    struct clip *clip;
    assert_int_equal(clip_plan(&(struct clip_params){.source = &a->source.source,
                                                     .camera_id = "cam-001",
                                                     .from_us = rig_time(a->clip_from),
                                                     .to_us = rig_time(a->clip_to)},
                               &clip, NULL),
                     0);
    uint64_t size = clip_size(clip);
    clip_free(&clip);
    return size;
}

static void a_long_clip_arrives_whole(void **state)
{
    struct answers *a = *state;
    struct client c;
    char header[64];
    a->source.picture_bytes = 400;
    a->clip_to = 15000;
    uint64_t size = clip_length(a);
    assert_true(size > 20 * CLIP_ANSWER_STEP_BYTES);
    ask(a, &c, "GET /clip.mp4", "");
    snprintf(header, sizeof header, "Content-Length: %llu\r\n", (unsigned long long)size);
    client_expect(&c, header);
    client_expect(&c, "\r\n\r\n");
    assert_int_equal(client_take(&c, size), size);
    rig_until(&a->http, &a->n_clips_closed, 1);
    assert_int_equal(a->clip_bytes, size);
    assert_int_equal(a->clip_code, 0);
    client_close(&c);
}

static void a_clip_answers_ranges(void **state)
{
    struct answers *a = *state;
    struct client c;
    uint64_t size = clip_length(a);
    ask(a, &c, "GET /clip.mp4", "Range: bytes=4-7\r\n");
    client_expect(&c, "HTTP/1.1 206");
    char header[96];
    snprintf(header, sizeof header, "Content-Range: bytes 4-7/%llu", (unsigned long long)size);
    client_expect(&c, header);
    client_expect(&c, "\r\n\r\nftyp");
    client_close(&c);
    rig_until(&a->http, &a->n_clips_closed, 1);
    assert_int_equal(a->clip_bytes, 4);

    ask(a, &c, "GET /clip.mp4", "Range: bytes=99999999-\r\n");
    client_expect(&c, "HTTP/1.1 416");
    client_close(&c);
    rig_until(&a->http, &a->n_clips_closed, 2);
}

static void a_clip_of_nothing_is_404(void **state)
{
    struct answers *a = *state;
    struct client c;
    a->clip_from = 300;
    a->clip_to = 500;
    ask(a, &c, "GET /clip.mp4", "");
    client_expect(&c, "HTTP/1.1 404");
    client_close(&c);
    a->clip_to = 300;
    ask(a, &c, "GET /clip.mp4", "");
    client_expect(&c, "HTTP/1.1 422");
    client_close(&c);
    rig_until(&a->http, &a->n_clips_closed, 2);
    assert_int_equal(a->clip_code, ERR_INVALID);
}

static void a_client_that_leaves_ends_its_clip(void **state)
{
    struct answers *a = *state;
    struct client c;
    a->source.picture_bytes = 4000;
    a->clip_to = 15000;
    ask(a, &c, "GET /clip.mp4", "");
    client_expect(&c, "ftyp");
    client_close(&c);
    rig_until(&a->http, &a->n_clips_closed, 1);
    assert_int_not_equal(a->clip_code, 0);
}

#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* A masked text frame with mask 0. */
static void say(struct client *c, const char *text)
{
    uint8_t head[8] = {0x81, 0x80 | 126, 0, (uint8_t)strlen(text), 0, 0, 0, 0};
    client_send(c, head, sizeof head);
    client_say(c, text);
}

static void the_wall_speaks_over_a_websocket(void **state)
{
    struct answers *a = *state;
    struct client c;
    publish(a, 0, 3, 100);
    ask(a, &c, "GET /wall", UPGRADE "Sec-WebSocket-Protocol: rookery.wall.1\r\n");
    client_expect(&c, "HTTP/1.1 101");
    client_expect(&c, "\"type\":\"hello\"");
    say(&c,
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"cam-001\",\"pad\":\"" /* > 125 */
        "....................................................................\"}");
    client_expect(&c, "\"type\":\"subscribed\"");
    client_expect(&c, "avcC");
    for (int i = 0; i < 3; i++)
        client_expect(&c, "moof");
    publish(a, 3, 4, 100);
    client_expect(&c, "moof");
    client_close(&c);
    rig_until(&a->http, &a->n_conns_closed, 1);
    struct wall_stats stats;
    wall_stats(a->wall, &stats);
    assert_int_equal(stats.n_tiles, 0);
}

static void the_wall_wants_its_subprotocol(void **state)
{
    struct answers *a = *state;
    struct client c;
    ask(a, &c, "GET /wall", UPGRADE);
    client_expect(&c, "HTTP/1.1 400");
    client_close(&c);
    rig_until(&a->http, &a->n_conns_closed, 1);
    ask(a, &c, "GET /wall", "");
    client_expect(&c, "HTTP/1.1 426");
    client_close(&c);
    rig_until(&a->http, &a->n_conns_closed, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(live_begins_at_once_and_goes_on),
        T(live_with_sound_waits_only_until_it_is_heard),
        T(live_without_pictures_is_503),
        T(live_ends_when_the_camera_is_removed),
        T(a_slow_live_reader_loses_pictures_up_to_a_key_frame),
        T(a_clip_has_length_and_gaps),
        T(a_long_clip_arrives_whole),
        T(a_clip_answers_ranges),
        T(a_clip_of_nothing_is_404),
        T(a_client_that_leaves_ends_its_clip),
        T(the_wall_speaks_over_a_websocket),
        T(the_wall_wants_its_subprotocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
