#include "wall_rig.h"

#include "base/err.h"
#include "base/mem.h"

#define SUBSCRIBE(tile, gen, camera)                                                               \
    "{\"type\":\"subscribe\",\"tile\":" #tile ",\"gen\":" #gen ",\"camera\":\"" camera "\"}"

static struct hub *hub_of(struct wall_rig *rig)
{
    return rig->cameras[1].hub;
}

static void a_subscription_shows_a_picture_at_once(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 25, 100);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));

    struct rig_message *m = wall_rig_next(rig);
    assert_string_equal(rig_text(m, "type"), "hello");
    assert_string_equal(rig_text(m, "protocol"), "rookery.wall.1");
    assert_int_equal(rig_int(m, "max_tiles"), 100);
    m = wall_rig_next(rig);
    assert_string_equal(rig_text(m, "type"), "subscribed");
    assert_int_equal(rig_int(m, "tile"), 3);
    assert_int_equal(rig_int(m, "gen"), 1);
    assert_string_equal(rig_text(m, "stream"), "main");
    assert_string_equal(rig_text(m, "mode"), "live");
    m = wall_rig_next(rig);
    assert_string_equal(rig_text(m, "type"), "state");
    assert_string_equal(rig_text(m, "cause"), "ok");
    assert_true(json_is_null(json_object_get(m->json, "retry_s")));
    m = wall_rig_next(rig);
    assert_string_equal(rig_text(m, "type"), "format");
    assert_string_equal(rig_text(m, "codec"), "h264");
    assert_string_equal(rig_text(m, "codec_string"), "avc1.64000A");
    assert_int_equal(rig_int(m, "width"), 160);
    assert_true(json_is_null(json_object_get(m->json, "audio")));
    m = wall_rig_next(rig);
    assert_int_equal(m->kind, WALL_KIND_INIT);
    assert_int_equal(m->payload_at, 0);
    for (int64_t i = 20; i < 25; i++) {
        m = wall_rig_next(rig);
        assert_int_equal(m->kind, WALL_KIND_MEDIA);
        assert_int_equal(m->flags, i == 20 ? WALL_FLAG_KEY : 0);
        assert_int_equal(m->tile, 3);
        assert_int_equal(m->gen, 1);
        assert_int_equal(m->wall_us, rig_time(i));
        assert_int_equal(m->picture, i);
        assert_int_equal(m->pts, (i - 20) * 9000);
        assert_int_equal(m->duration, 0);
    }
    assert_null(wall_rig_next(rig));
    wall_rig_publish(rig, hub_of(rig), 25, 26, 100);
    assert_int_equal(wall_rig_next(rig)->picture, 25);
    assert_int_equal(rig->n_opened, 1);
    assert_string_equal(rig->last_view.camera_id, "cam-2");
}

static void auto_takes_the_sub_stream(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, rig->cameras[0].sub, 0, 1, 100);
    wall_rig_send(rig, SUBSCRIBE(1, 1, "cam-1"));
    assert_string_equal(rig_text(wall_rig_find(rig, "subscribed"), "stream"), "sub");
    assert_int_equal(wall_rig_count_media(rig, 1), 1);
}

static void refusals_are_told_with_their_code(void **state)
{
    struct wall_rig *rig = *state;
    static const struct {
        int rc;
        const char *code;
    } cases[] = {{ERR_NOT_FOUND, "not_found"},
                 {ERR_FORBIDDEN, "forbidden"},
                 {ERR_UNSUPPORTED, "unsupported"},
                 {ERR_BUSY, "too_many"},
                 {-5, "internal"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig->cameras[1].refuse = cases[i].rc;
        wall_rig_send(rig, SUBSCRIBE(3, 7, "cam-2"));
        struct rig_message *m = wall_rig_find(rig, "error");
        assert_string_equal(rig_text(m, "code"), cases[i].code);
        assert_int_equal(rig_int(m, "tile"), 3);
        assert_int_equal(rig_int(m, "gen"), 7);
    }
    wall_rig_send(rig, SUBSCRIBE(3, 8, "cam-unknown"));
    assert_string_equal(rig_text(wall_rig_find(rig, "error"), "code"), "not_found");
    assert_int_equal(rig->n_opened, 0);
}

static void subscribing_again_replaces(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 2, 100);
    wall_rig_publish(rig, rig->cameras[0].sub, 0, 3, 100);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    wall_rig_send(rig, SUBSCRIBE(3, 2, "cam-1"));
    wall_rig_find(rig, "subscribed");
    wall_rig_find(rig, "subscribed");
    assert_int_equal(wall_rig_count_media(rig, 3), 3);
    wall_rig_publish(rig, hub_of(rig), 2, 3, 100);
    assert_int_equal(wall_rig_count_media(rig, 3), 3);
    assert_int_equal(rig->n_opened, 2);
    assert_int_equal(rig->n_closed, 1);
    wall_rig_send(rig, "{\"type\":\"unsubscribe\",\"tile\":3}");
    assert_int_equal(rig->n_closed, 2);
    assert_int_equal(rig->last_view.n_pictures, 3);
    wall_rig_send(rig, "{\"type\":\"unsubscribe\",\"tile\":3}");
    assert_string_equal(rig_text(wall_rig_find(rig, "error"), "code"), "not_found");
}

static void at_most_100_tiles(void **state)
{
    struct wall_rig *rig = *state;
    for (int i = 0; i <= 100; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "{\"type\":\"subscribe\",\"tile\":%d,\"gen\":1,\"camera\":\"cam-2\"}", i);
        wall__conn_text(rig->conn, text, strlen(text));
    }
    wall_rig_settle(rig);
    struct rig_message *m = wall_rig_find(rig, "error");
    assert_string_equal(rig_text(m, "code"), "too_many");
    assert_int_equal(rig_int(m, "tile"), 100);
    assert_int_equal(rig->n_opened, 100);
}

static void hidden_tiles_get_nothing_and_come_back_from_a_key_frame(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 5, 100);
    wall_rig_send(rig, SUBSCRIBE(0, 1, "cam-2"));
    wall_rig_send(rig, SUBSCRIBE(1, 1, "cam-2"));
    wall_rig_send(rig, "{\"type\":\"layout\",\"visible\":[0]}");
    rig->n_read = rig->n_messages;
    wall_rig_publish(rig, hub_of(rig), 5, 25, 100);
    assert_int_equal(wall_rig_count_media(rig, 0), 20);
    assert_int_equal(wall_rig_count_media(rig, 1), 0);
    rig->n_read = rig->n_messages;
    wall_rig_send(rig, "{\"type\":\"layout\",\"visible\":[0,1]}");
    assert_int_equal(wall_rig_count_media(rig, 1), 5);
    assert_string_equal(rig_text(wall_rig_find(rig, "format"), "codec"), "h264");
    assert_int_equal(wall_rig_next(rig)->kind, WALL_KIND_INIT);
    struct rig_message *m = wall_rig_next(rig);
    assert_int_equal(m->flags, WALL_FLAG_KEY | WALL_FLAG_DISCONTINUITY);
    assert_int_equal(m->picture, 20);
    /* a tile that no layout has named since */
    wall_rig_send(rig, SUBSCRIBE(2, 1, "cam-2"));
    assert_int_equal(wall_rig_count_media(rig, 2), 0);
    assert_int_equal(rig->n_closed, 0);
}

static void states_are_told_when_they_change(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    wall_rig_find(rig, "state");
    struct wall_state st = {.cause = "timeout", .detail = "no data", .retry_s = 4};
    wall_state_changed(rig->wall, "cam-2", "main", &st);
    wall_state_changed(rig->wall, "cam-2", "main", &st);
    wall_state_changed(rig->wall, "cam-2", "sub", &rig->state);
    wall_state_changed(rig->wall, "cam-1", "main", &rig->state);
    wall_rig_settle(rig);
    struct rig_message *m = wall_rig_find(rig, "state");
    assert_false(json_is_true(json_object_get(m->json, "advancing")));
    assert_string_equal(rig_text(m, "cause"), "timeout");
    assert_string_equal(rig_text(m, "detail"), "no data");
    assert_int_equal(rig_int(m, "retry_s"), 4);
    assert_null(wall_rig_next(rig));
}

static void a_slow_connection_drops_to_a_key_frame_and_says_so(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 1, 1000);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    rig->n_read = rig->n_messages;
    rig->is_stuck = true;
    wall_rig_publish(rig, hub_of(rig), 1, 45, 100000); /* 2 MiB are 20 of these */
    assert_int_equal(wall_rig_count_media(rig, 3), 20);
    rig->n_read = rig->n_messages;
    wall_rig_unstick(rig);
    wall_rig_publish(rig, hub_of(rig), 45, 60, 100000);
    assert_null(wall_rig_next(rig));
    wall_rig_publish(rig, hub_of(rig), 60, 62, 1000);
    struct rig_message *m = wall_rig_next(rig);
    assert_string_equal(rig_text(m, "type"), "dropped");
    assert_int_equal(rig_int(m, "packets"), 39);
    m = wall_rig_next(rig);
    assert_int_equal(m->picture, 60);
    assert_int_equal(m->flags, WALL_FLAG_KEY | WALL_FLAG_DISCONTINUITY);
    assert_int_equal(wall_rig_next(rig)->flags, 0);
    struct wall_stats stats;
    wall_stats(rig->wall, &stats);
    assert_int_equal(stats.n_dropped, 39);
}

static void media_that_waits_for_3_s_is_too_slow_too(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 1, 100);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    rig->n_read = rig->n_messages;
    rig->is_stuck = true;
    for (int64_t i = 1; i < 50; i++) {
        wall_rig_publish(rig, hub_of(rig), i, i + 1, 100);
        rig_advance_ms(&rig->clock, 100);
    }
    assert_int_equal(wall_rig_count_media(rig, 3), 31);
}

static void a_connection_with_too_much_waiting_is_closed(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 1, 100);
    for (int i = 0; i < 30; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "{\"type\":\"subscribe\",\"tile\":%d,\"gen\":1,\"camera\":\"cam-2\"}", i);
        wall_rig_send(rig, text);
    }
    rig->is_stuck = true;
    wall_rig_publish(rig, hub_of(rig), 1, 20, 100000);
    assert_int_equal(rig->close_code, 1013);
    assert_true(rig->pending < WALL_CLOSE_BYTES + 200000);
}

static void groups_of_many_tiles_do_not_flood_the_connection(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 20, 100000); /* 2 MB */
    rig->is_stuck = true;
    for (int i = 0; i < 20; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "{\"type\":\"subscribe\",\"tile\":%d,\"gen\":1,\"camera\":\"cam-2\"}", i);
        wall_rig_send(rig, text);
    }
    assert_int_equal(rig->close_code, 0);
    assert_true(rig->pending < 7 << 20);
    for (int i = 0; i < 20; i++)
        wall_rig_unstick(rig);
    for (uint16_t i = 0; i < 20; i++)
        assert_int_equal(wall_rig_count_media(rig, i), 20);
}

static void bad_messages_are_answered_and_then_it_is_enough(void **state)
{
    struct wall_rig *rig = *state;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(rig->close_code, 0);
        wall_rig_send(rig, "{\"type\":\"dance\",\"tile\":4}");
        struct rig_message *m = wall_rig_find(rig, "error");
        assert_string_equal(rig_text(m, "code"), "bad_request");
        assert_int_equal(rig_int(m, "tile"), 4);
    }
    assert_int_equal(rig->close_code, 1008);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    assert_null(wall_rig_next(rig));
}

static void pings_are_answered(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_send(rig, "{\"type\":\"ping\",\"t\":1763870000123}");
    assert_int_equal(rig_int(wall_rig_find(rig, "pong"), "t"), 1763870000123);
    wall_rig_send(rig, "{\"type\":\"ping\",\"t\":0.5}");
    assert_true(json_real_value(json_object_get(wall_rig_find(rig, "pong")->json, "t")) == 0.5);
}

static void a_stream_that_is_not_there_yet_is_found_when_it_comes(void **state)
{
    struct wall_rig *rig = *state;
    rig->state = (struct wall_state){.cause = "disabled", .retry_s = -1};
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-off"));
    assert_string_equal(rig_text(wall_rig_find(rig, "subscribed"), "mode"), "live");
    assert_string_equal(rig_text(wall_rig_find(rig, "state"), "cause"), "disabled");
    wall_rig_publish(rig, hub_of(rig), 0, 1, 100);
    rig->cameras[2].hub = hub_of(rig);
    wall_rig_advance_ms(rig, WALL_RETRY_MS + 100);
    assert_int_equal(wall_rig_count_media(rig, 3), 1);
    rig->cameras[2].hub = NULL;
}

static void a_hub_made_anew_is_found(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 1, 100);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    hub_close(rig->cameras[1].hub);
    hub_unref(&rig->cameras[1].hub);
    wall_rig_settle(rig);
    rig->cameras[1].hub = hub_create(rig->clock.loop, "cam-2", "main", NULL);
    hub_set_up(rig->cameras[1].hub, true);
    wall_recheck(rig->wall, "cam-2");
    wall_rig_settle(rig);
    rig->n_read = rig->n_messages;
    wall_rig_publish(rig, hub_of(rig), 40, 41, 100);
    assert_int_equal(wall_rig_count_media(rig, 3), 1);
}

static void rights_taken_away_close_the_tile(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_publish(rig, hub_of(rig), 0, 1, 100);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    rig->cameras[1].refuse = ERR_NOT_FOUND;
    wall_recheck(rig->wall, NULL);
    wall_rig_settle(rig);
    assert_string_equal(rig_text(wall_rig_find(rig, "error"), "code"), "not_found");
    assert_int_equal(rig->n_closed, 1);
    wall_rig_publish(rig, hub_of(rig), 1, 5, 100);
    assert_int_equal(wall_rig_count_media(rig, 3), 0);
}

static void what_is_under_way_outlives_its_tile(void **state)
{
    struct wall_rig *rig = *state;
    rig->is_stuck = true;
    wall_rig_publish(rig, hub_of(rig), 0, 5, 100);
    wall_rig_send(rig, SUBSCRIBE(3, 1, "cam-2"));
    wall_rig_send(rig, "{\"type\":\"unsubscribe\",\"tile\":3}");
    wall_rig_hang_up(rig);
    wall_rig_unstick(rig);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, wall_rig_setup, wall_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_subscription_shows_a_picture_at_once),
        T(auto_takes_the_sub_stream),
        T(refusals_are_told_with_their_code),
        T(subscribing_again_replaces),
        T(at_most_100_tiles),
        T(hidden_tiles_get_nothing_and_come_back_from_a_key_frame),
        T(states_are_told_when_they_change),
        T(a_slow_connection_drops_to_a_key_frame_and_says_so),
        T(media_that_waits_for_3_s_is_too_slow_too),
        T(a_connection_with_too_much_waiting_is_closed),
        T(groups_of_many_tiles_do_not_flood_the_connection),
        T(bad_messages_are_answered_and_then_it_is_enough),
        T(pings_are_answered),
        T(a_stream_that_is_not_there_yet_is_found_when_it_comes),
        T(a_hub_made_anew_is_found),
        T(rights_taken_away_close_the_tile),
        T(what_is_under_way_outlives_its_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
