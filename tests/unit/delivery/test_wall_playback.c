#include "wall_rig.h"

#include "base/err.h"
#include "base/mem.h"

/* The virtual now is RIG_START_US; recordings lie before it. */
#define HOUR 36000 /* pictures */

struct play_rig {
    struct wall_rig *wall;
    struct rig_source source;
    struct rig_run runs[8];
};

static struct play_rig *rig_with(void **state, const struct rig_run *runs, size_t n)
{
    struct play_rig *p = calloc(1, sizeof *p);
    p->wall = *state;
    memcpy(p->runs, runs, n * sizeof *runs);
    rig_source_init(&p->source, p->runs, n);
    p->source.clock = &p->wall->clock.clock.clock;
    p->wall->cameras[1].source = &p->source.source;
    return p;
}

static void play(struct play_rig *p, int64_t at, const char *more)
{
    char text[256], time[CLOCK_RFC3339_BYTES];
    snprintf(
        text, sizeof text,
        "{\"type\":\"subscribe\",\"tile\":5,\"gen\":1,\"camera\":\"cam-2\",\"stream\":\"main\","
        "\"at\":\"%s\"%s}",
        rfc3339_print(rig_time(at), time), more);
    wall_rig_send(p->wall, text);
}

static void done(struct play_rig *p)
{
    wall_rig_hang_up(p->wall);
    wall_rig_settle(p->wall);
    rig_source_fini(&p->source);
    free(p);
}

static void seek(struct play_rig *p, int gen, int64_t at)
{
    char text[256], time[CLOCK_RFC3339_BYTES];
    snprintf(text, sizeof text, "{\"type\":\"seek\",\"tile\":5,\"gen\":%d,\"at\":\"%s\"}", gen,
             rfc3339_print(rig_time(at), time));
    wall_rig_send(p->wall, text);
}

/* The next picture not looked at; NULL when there is none. */
static struct rig_message *next_picture(struct play_rig *p)
{
    struct rig_message *m;
    while ((m = wall_rig_next(p->wall)))
        if (m->kind == WALL_KIND_MEDIA && !(m->flags & WALL_FLAG_AUDIO))
            return m;
    return NULL;
}

/* Passes over [from, to) and asserts that they come in order. */
static void expect_pictures(struct play_rig *p, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        struct rig_message *m = next_picture(p);
        if (!m)
            fail_msg("picture %lld is missing", (long long)i);
        assert_int_equal(m->picture, i);
        assert_int_equal(m->wall_us, rig_time(i));
    }
}

static const struct rig_run one_hour[] = {{.from = -HOUR, .to = -100, .mark = 16}};

static void plays_from_the_key_frame_before(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    play(p, -HOUR + 55, "");
    struct rig_message *m = wall_rig_find(p->wall, "subscribed");
    assert_string_equal(rig_text(m, "mode"), "recorded");
    m = wall_rig_next(p->wall);
    assert_string_equal(rig_text(m, "type"), "format");
    m = wall_rig_next(p->wall);
    assert_int_equal(m->kind, WALL_KIND_INIT);
    m = next_picture(p);
    assert_int_equal(m->picture, -HOUR + 40);
    assert_int_equal(m->flags, WALL_FLAG_KEY | WALL_FLAG_RECORDED);
    assert_int_equal(m->pts, 0);
    assert_int_equal(m->duration, 9000);
    m = next_picture(p);
    assert_int_equal(m->flags, WALL_FLAG_RECORDED);
    assert_int_equal(m->pts, 9000);
    /* up to `at` at once, and 3 s ahead of it */
    expect_pictures(p, -HOUR + 42, -HOUR + 55 + 31);
    assert_null(next_picture(p));
    done(p);
}

static void is_paced_by_speed(void **state)
{
    static const struct {
        const char *speed;
        int n;
    } cases[] = {{"0.5", 20}, {"1", 40}, {"2", 80}, {"4", 160}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct play_rig *p = rig_with(state, one_hour, 1);
        char more[32];
        snprintf(more, sizeof more, ",\"speed\":%s", cases[i].speed);
        play(p, -HOUR, more);
        p->wall->n_read = p->wall->n_messages;
        wall_rig_advance_ms(p->wall, 4000);
        int n = wall_rig_count_media(p->wall, 5);
        assert_in_range(n, cases[i].n - 3, cases[i].n + 3);
        wall_rig_send(p->wall, "{\"type\":\"unsubscribe\",\"tile\":5}");
        rig_source_fini(&p->source);
        free(p);
    }
}

static void above_4_only_key_frames(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    play(p, -HOUR, ",\"speed\":8");
    p->wall->n_read = 0;
    wall_rig_advance_ms(p->wall, 10000);
    struct rig_message *m;
    int n = 0;
    for (int64_t i = -HOUR; (m = next_picture(p)); i += RIG_GOP, n++) {
        assert_int_equal(m->picture, i);
        assert_true(m->flags & WALL_FLAG_KEY);
        assert_int_equal((m->flags & WALL_FLAG_DISCONTINUITY) != 0, i != -HOUR);
        assert_int_equal(m->pts, (i + HOUR) * 9000);
    }
    assert_in_range(n, (80 + 24) / 2 - 1, (80 + 24) / 2 + 2);
    wall_rig_send(p->wall, "{\"type\":\"speed\",\"tile\":5,\"speed\":1}");
    wall_rig_advance_ms(p->wall, 40000);
    /* what was sent ahead stays; behind it every picture comes again, without a hole */
    int64_t from = -HOUR + n * RIG_GOP;
    expect_pictures(p, from, from + 150);
    assert_int_equal(p->wall->messages[p->wall->n_read - 1].pts, (from + 149 + HOUR) * 9000);
    done(p);
}

/* MJPEG at speed 8: as many pictures as a screen shows in a second, not eight times as many. */
static void above_4_not_every_key_frame(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    p->source.all_keys = true;
    play(p, -HOUR, ",\"speed\":8");
    p->wall->n_read = 0;
    wall_rig_advance_ms(p->wall, 10000);
    struct rig_message *m;
    int64_t i = -HOUR;
    for (; (m = next_picture(p)); i += 4)
        assert_int_equal(m->picture, i);
    assert_in_range(i + HOUR, 800, 1100); /* 80 s and what is sent ahead */
    wall_rig_send(p->wall, "{\"type\":\"speed\",\"tile\":5,\"speed\":1}");
    wall_rig_advance_ms(p->wall, 40000);
    expect_pictures(p, i, i + 50);
    done(p);
}

static void pauses_steps_and_goes_on(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    play(p, -HOUR + 45, ",\"paused\":true");
    expect_pictures(p, -HOUR + 40, -HOUR + 46);
    wall_rig_advance_ms(p->wall, 5000);
    assert_null(next_picture(p));
    wall_rig_send(p->wall, "{\"type\":\"step\",\"tile\":5}");
    expect_pictures(p, -HOUR + 46, -HOUR + 47);
    assert_null(next_picture(p));
    wall_rig_send(p->wall, "{\"type\":\"step\",\"tile\":5}");
    wall_rig_send(p->wall, "{\"type\":\"step\",\"tile\":5}");
    expect_pictures(p, -HOUR + 47, -HOUR + 49);
    assert_null(next_picture(p));
    wall_rig_send(p->wall, "{\"type\":\"speed\",\"tile\":5,\"paused\":false}");
    expect_pictures(p, -HOUR + 49, -HOUR + 48 + 31);
    assert_null(next_picture(p));
    wall_rig_send(p->wall, "{\"type\":\"speed\",\"tile\":5,\"paused\":true}");
    wall_rig_advance_ms(p->wall, 5000);
    assert_null(next_picture(p));
    done(p);
}

static void gaps_are_told_and_skipped(void **state)
{
    static const struct rig_run runs[] = {{.from = -HOUR, .to = -HOUR + 30, .mark = 16},
                                          {.from = -HOUR + 6000, .to = -HOUR + 7000, .mark = 16}};
    struct play_rig *p = rig_with(state, runs, 2);
    play(p, -HOUR, "");
    expect_pictures(p, -HOUR, -HOUR + 30);
    wall_rig_advance_ms(p->wall, 300);
    struct rig_message *m = wall_rig_find(p->wall, "gap");
    char time[CLOCK_RFC3339_BYTES];
    assert_string_equal(rig_text(m, "from"), rfc3339_print(rig_time(-HOUR + 30), time));
    assert_string_equal(rig_text(m, "to"), rfc3339_print(rig_time(-HOUR + 6000), time));
    assert_string_equal(rig_text(m, "cause"), "timeout");
    m = next_picture(p);
    assert_int_equal(m->picture, -HOUR + 6000);
    assert_int_equal(m->flags, WALL_FLAG_KEY | WALL_FLAG_DISCONTINUITY | WALL_FLAG_RECORDED);
    assert_int_equal(m->pts, 30 * 9000); /* the axis has no hole */
    wall_rig_advance_ms(p->wall, 5000);
    expect_pictures(p, -HOUR + 6001, -HOUR + 6040);
    done(p);
}

static void a_camera_that_stood_still_is_no_gap(void **state)
{
    static const struct rig_run runs[] = {{.from = -HOUR,
                                           .to = -HOUR + 500,
                                           .mark = 16,
                                           .has_audio = true,
                                           .hole_from = -HOUR + 50,
                                           .hole_to = -HOUR + 130}};
    struct play_rig *p = rig_with(state, runs, 1);
    play(p, -HOUR, ",\"audio\":true");
    wall_rig_advance_ms(p->wall, 7000);
    expect_pictures(p, -HOUR, -HOUR + 50);
    assert_null(next_picture(p));
    wall_rig_advance_ms(p->wall, 7000);
    expect_pictures(p, -HOUR + 130, -HOUR + 160);
    assert_int_equal(p->wall->messages[p->wall->n_read - 1].pts, 159 * 9000);
    for (size_t i = 0; i < p->wall->n_messages; i++)
        if (p->wall->messages[i].json)
            assert_string_not_equal(rig_text(&p->wall->messages[i], "type"), "gap");
    done(p);
}

static void sound_ahead_of_its_picture_holds_up_nothing(void **state)
{
    static const struct rig_run runs[] = {
        {.from = -HOUR, .to = -HOUR + 500, .mark = 16, .early_sound = -HOUR + 150}};
    struct play_rig *p = rig_with(state, runs, 1);
    play(p, -HOUR, ",\"audio\":true");
    wall_rig_advance_ms(p->wall, 3000);
    expect_pictures(p, -HOUR, -HOUR + 60);
    done(p);
}

static void a_gap_may_begin_with_sound(void **state)
{
    static const struct rig_run runs[] = {
        {.from = -HOUR, .to = -HOUR + 20, .mark = 16, .has_audio = true},
        {.from = -HOUR + 100,
         .to = -HOUR + 300,
         .mark = 16,
         .has_audio = true,
         .sound_first = true}};
    struct play_rig *p = rig_with(state, runs, 2);
    play(p, -HOUR, ",\"audio\":true");
    wall_rig_advance_ms(p->wall, 3000);
    wall_rig_find(p->wall, "gap");
    struct rig_message *m = wall_rig_next(p->wall);
    assert_int_equal(m->picture, -HOUR + 100);
    assert_int_equal(m->pts, 20 * 9000);
    int64_t last_sound = 0;
    while ((m = wall_rig_next(p->wall)))
        if (m->flags & WALL_FLAG_AUDIO)
            last_sound = m->pts;
    assert_in_range(last_sound, 48000 * 2, 48000 * 7); /* beside the pictures, not 8 s behind */
    done(p);
}

static void a_seek_into_a_gap_begins_behind_it(void **state)
{
    static const struct rig_run runs[] = {{.from = -HOUR, .to = -HOUR + 30, .mark = 16},
                                          {.from = -HOUR + 9000, .to = -HOUR + 9500, .mark = 16}};
    struct play_rig *p = rig_with(state, runs, 2);
    play(p, -HOUR + 500, "");
    struct rig_message *m = wall_rig_find(p->wall, "gap");
    char time[CLOCK_RFC3339_BYTES];
    assert_string_equal(rig_text(m, "to"), rfc3339_print(rig_time(-HOUR + 9000), time));
    expect_pictures(p, -HOUR + 9000, -HOUR + 9031);
    assert_null(next_picture(p));
    done(p);
}

static void the_end_is_told_after_the_last_picture(void **state)
{
    static const struct rig_run runs[] = {{.from = -HOUR, .to = -HOUR + 50, .mark = 16}};
    struct play_rig *p = rig_with(state, runs, 1);
    play(p, -HOUR + 20, "");
    wall_rig_advance_ms(p->wall, 3000);
    expect_pictures(p, -HOUR + 20, -HOUR + 50);
    struct rig_message *m = wall_rig_find(p->wall, "end");
    char time[CLOCK_RFC3339_BYTES];
    assert_string_equal(rig_text(m, "at"), rfc3339_print(rig_time(-HOUR + 50), time));
    int n_calls = p->source.n_calls;
    wall_rig_advance_ms(p->wall, 20000);
    assert_int_equal(p->source.n_calls, n_calls);
    /* of the pictures, not of the key frames */
    play(p, -HOUR, ",\"speed\":16");
    wall_rig_advance_ms(p->wall, 3000);
    m = wall_rig_find(p->wall, "end");
    assert_string_equal(rig_text(m, "at"), rfc3339_print(rig_time(-HOUR + 50), time));
    done(p);
}

static void a_time_without_recordings_is_an_error(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    p->source.fails_with = ERR_NOT_FOUND;
    play(p, -HOUR, "");
    assert_string_equal(rig_text(wall_rig_find(p->wall, "error"), "code"), "no_recording");
    p->source.fails_with = -5;
    seek(p, 2, -HOUR);
    struct rig_message *m = wall_rig_find(p->wall, "error");
    assert_string_equal(rig_text(m, "code"), "internal");
    assert_int_equal(rig_int(m, "gen"), 2);
    p->source.fails_with = 0;
    seek(p, 3, -HOUR);
    expect_pictures(p, -HOUR, -HOUR + 31);
    done(p);
}

static void follows_a_recording_that_grows(void **state)
{
    static const struct rig_run runs[] = {{.from = -400, .to = -20, .mark = 16}};
    struct play_rig *p = rig_with(state, runs, 1);
    play(p, -60, "");
    wall_rig_advance_ms(p->wall, 1000);
    expect_pictures(p, -60, -20);
    for (int s = 1; s <= 20; s++) { /* a group every 2 s, as the recorder makes them */
        if (s % 2 == 0)
            p->runs[0].to += RIG_GOP;
        wall_rig_advance_ms(p->wall, 1000);
    }
    expect_pictures(p, -20, 160);
    /* the camera went away */
    wall_rig_advance_ms(p->wall, 20000);
    expect_pictures(p, 160, 180);
    wall_rig_find(p->wall, "end");
    done(p);
}

static void a_seek_to_just_now_shows_what_is_newest_on_disk(void **state)
{
    static const struct rig_run runs[] = {{.from = -400, .to = -20, .mark = 16}};
    struct play_rig *p = rig_with(state, runs, 1);
    play(p, -5, "");
    expect_pictures(p, -60, -24); /* from 5 s ago, and 3 s ahead of it */
    done(p);
}

static void a_seek_forgets_what_was_before(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    play(p, -HOUR, "");
    seek(p, 2, -HOUR + 1000);
    struct rig_message *m = wall_rig_find(p->wall, "subscribed");
    m = wall_rig_find(p->wall, "subscribed");
    assert_int_equal(rig_int(m, "gen"), 2);
    m = next_picture(p);
    assert_int_equal(m->gen, 2);
    assert_int_equal(m->picture, -HOUR + 1000);
    assert_int_equal(p->wall->n_opened, 1); /* the same view for the audit */
    /* and many at once leave one */
    for (int gen = 3; gen < 30; gen++) {
        char text[128], time[CLOCK_RFC3339_BYTES];
        snprintf(text, sizeof text, "{\"type\":\"seek\",\"tile\":5,\"gen\":%d,\"at\":\"%s\"}", gen,
                 rfc3339_print(rig_time(-HOUR + 1000 * (gen % 7)), time));
        wall__conn_text(p->wall->conn, text, strlen(text));
    }
    p->wall->n_read = p->wall->n_messages;
    wall_rig_settle(p->wall);
    m = next_picture(p);
    assert_int_equal(m->gen, 29);
    assert_int_equal(m->picture, -HOUR + 1000);
    done(p);
}

static void turns_live_and_back(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    wall_rig_publish(p->wall, p->wall->cameras[1].hub, 0, 3, 100);
    play(p, -HOUR, "");
    wall_rig_send(p->wall, "{\"type\":\"seek\",\"tile\":5,\"gen\":2,\"at\":\"live\"}");
    struct rig_message *m = wall_rig_find(p->wall, "subscribed");
    m = wall_rig_find(p->wall, "subscribed");
    assert_string_equal(rig_text(m, "mode"), "live");
    m = next_picture(p);
    assert_int_equal(m->picture, 0);
    assert_int_equal(m->flags, WALL_FLAG_KEY);
    seek(p, 3, -HOUR + 100);
    p->wall->n_read -= 0;
    wall_rig_find(p->wall, "subscribed");
    expect_pictures(p, -HOUR + 100, -HOUR + 131);
    assert_int_equal(p->wall->n_opened, 3);
    done(p);
}

static void hidden_tiles_rest(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    play(p, -HOUR, "");
    wall_rig_send(p->wall, "{\"type\":\"layout\",\"visible\":[]}");
    p->wall->n_read = p->wall->n_messages;
    wall_rig_advance_ms(p->wall, 5000);
    assert_null(next_picture(p));
    wall_rig_send(p->wall, "{\"type\":\"layout\",\"visible\":[5]}");
    wall_rig_advance_ms(p->wall, 1000);
    expect_pictures(p, -HOUR + 31, -HOUR + 40);
    done(p);
}

static void sound_is_sent_at_speed_1_only(void **state)
{
    static const struct rig_run runs[] = {
        {.from = -HOUR, .to = -HOUR + 500, .mark = 16, .has_audio = true}};
    struct play_rig *p = rig_with(state, runs, 1);
    play(p, -HOUR, ",\"audio\":true");
    struct rig_message *m = wall_rig_find(p->wall, "format");
    assert_string_equal(rig_text(m, "audio"), "mp4a.40.2");
    wall_rig_advance_ms(p->wall, 4000);
    int n_sounds = 0;
    int64_t pts = -1;
    while ((m = wall_rig_next(p->wall))) {
        if (m->kind != WALL_KIND_MEDIA || !(m->flags & WALL_FLAG_AUDIO))
            continue;
        n_sounds++;
        assert_true(m->pts > pts);
        pts = m->pts;
    }
    assert_in_range(n_sounds, 250, 380); /* 47 per second, 6 to 8 s of them */
    assert_in_range(pts, 48000 * 5, 48000 * 8);
    wall_rig_send(p->wall, "{\"type\":\"speed\",\"tile\":5,\"speed\":2}");
    p->wall->n_read = p->wall->n_messages;
    wall_rig_advance_ms(p->wall, 4000);
    int n_pictures = 0;
    while ((m = wall_rig_next(p->wall))) {
        assert_false(m->flags & WALL_FLAG_AUDIO);
        n_pictures++;
    }
    assert_true(n_pictures > 50);
    done(p);
}

static void a_new_format_comes_with_its_init_segment(void **state)
{
    static const struct rig_run runs[] = {{.from = -HOUR, .to = -HOUR + 20, .mark = 16},
                                          {.from = -HOUR + 20, .to = -HOUR + 300, .mark = 32}};
    struct play_rig *p = rig_with(state, runs, 2);
    play(p, -HOUR, "");
    wall_rig_find(p->wall, "format");
    expect_pictures(p, -HOUR, -HOUR + 20);
    wall_rig_find(p->wall, "format");
    assert_int_equal(wall_rig_next(p->wall)->kind, WALL_KIND_INIT);
    expect_pictures(p, -HOUR + 20, -HOUR + 31);
    done(p);
}

static void waits_for_a_slow_connection(void **state)
{
    static const struct rig_run runs[] = {{.from = -HOUR, .to = -HOUR + 60, .mark = 16}};
    struct play_rig *p = rig_with(state, runs, 1);
    p->source.picture_bytes = 300000;
    p->wall->is_stuck = true;
    play(p, -HOUR, "");
    assert_in_range(wall_rig_count_media(p->wall, 5), 5, 8); /* 2 MiB */
    wall_rig_advance_ms(p->wall, 10000);
    assert_in_range(wall_rig_count_media(p->wall, 5), 5, 8);
    wall_rig_unstick(p->wall);
    wall_rig_settle(p->wall);
    expect_pictures(p, -HOUR, -HOUR + 31); /* none is left out */
    done(p);
}

static void short_windows_are_followed(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    p->source.n_groups = 1;
    play(p, -HOUR, ",\"speed\":4");
    wall_rig_advance_ms(p->wall, 20000);
    p->wall->n_read = 0;
    expect_pictures(p, -HOUR, -HOUR + 800);
    done(p);
}

/* --- a seek that picks --- */

static const struct rig_run two_runs[] = {{.from = -HOUR, .to = -HOUR + 130, .mark = 16},
                                          {.from = -HOUR + 6000, .to = -HOUR + 7000, .mark = 16}};

/* The page is paused; `at` is told to the millisecond, as pages do. The pictures that come are
 * those from the key frame to the one picked, and nothing more. */
static void expect_pick(struct play_rig *p, int64_t at, const char *pick, int64_t picked)
{
    static int gen = 100;
    char text[256], time[CLOCK_RFC3339_BYTES];
    snprintf(text, sizeof text,
             "{\"type\":\"seek\",\"tile\":5,\"gen\":%d,\"at\":\"%s\",\"pick\":\"%s\"}", ++gen,
             rfc3339_print(rig_time(at), time), pick);
    p->wall->n_read = p->wall->n_messages;
    wall_rig_send(p->wall, text);
    struct rig_message *m = wall_rig_find(p->wall, "picked");
    assert_string_equal(rig_text(m, "at"), rfc3339_print(rig_time(picked), time));
    assert_int_equal(rig_int(m, "gen"), gen);
    int64_t run = picked < -HOUR + 6000 ? -HOUR : -HOUR + 6000;
    expect_pictures(p, run + (picked - run) / RIG_GOP * RIG_GOP, picked + 1);
    assert_null(next_picture(p));
}

static void steps_back_by_a_picture(void **state)
{
    struct play_rig *p = rig_with(state, two_runs, 2);
    play(p, -HOUR + 45, ",\"paused\":true");
    for (int64_t at = -HOUR + 45; at > -HOUR; at--)
        expect_pick(p, at, "before", at - 1);
    expect_pick(p, -HOUR, "before", -HOUR);              /* there is nothing before it */
    expect_pick(p, -HOUR + 6000, "before", -HOUR + 129); /* over a gap */
    expect_pick(p, -HOUR + 3000, "before", -HOUR + 129);
    expect_pick(p, -HOUR + 6001, "before", -HOUR + 6000);
    done(p);
}

static void steps_by_a_key_frame(void **state)
{
    struct play_rig *p = rig_with(state, two_runs, 2);
    play(p, -HOUR + 45, ",\"paused\":true");
    expect_pick(p, -HOUR + 45, "key_before", -HOUR + 40);
    expect_pick(p, -HOUR + 40, "key_before", -HOUR + 20);
    expect_pick(p, -HOUR + 6000, "key_before", -HOUR + 120);
    expect_pick(p, -HOUR + 40, "key_after", -HOUR + 60);
    expect_pick(p, -HOUR + 125, "key_after", -HOUR + 6000);
    done(p);
}

static void a_gap_read_again_is_told_once(void **state)
{
    struct play_rig *p = rig_with(state, two_runs, 2);
    play(p, -HOUR + 120, ",\"speed\":8,\"paused\":true");
    expect_pictures(p, -HOUR + 120, -HOUR + 121);
    wall_rig_send(p->wall, "{\"type\":\"speed\",\"tile\":5,\"speed\":1}");
    for (int i = 0; i < 3; i++)
        wall_rig_send(p->wall, "{\"type\":\"step\",\"tile\":5}");
    int n_gaps = 0;
    for (size_t i = 0; i < p->wall->n_messages; i++)
        if (p->wall->messages[i].json)
            n_gaps += !strcmp(rig_text(&p->wall->messages[i], "type"), "gap");
    assert_int_equal(n_gaps, 1);
    expect_pictures(p, -HOUR + 6000, -HOUR + 6003);
    done(p);
}

static void goes_on_from_what_was_picked(void **state)
{
    struct play_rig *p = rig_with(state, two_runs, 2);
    play(p, -HOUR + 45, ",\"paused\":true");
    expect_pick(p, -HOUR + 6000, "before", -HOUR + 129);
    wall_rig_send(p->wall, "{\"type\":\"step\",\"tile\":5}");
    wall_rig_find(p->wall, "gap");
    expect_pictures(p, -HOUR + 6000, -HOUR + 6001);
    assert_null(next_picture(p));
    done(p);
}

static void the_page_may_leave_while_something_is_read(void **state)
{
    struct play_rig *p = rig_with(state, one_hour, 1);
    char text[256], time[CLOCK_RFC3339_BYTES];
    snprintf(text, sizeof text,
             "{\"type\":\"subscribe\",\"tile\":5,\"gen\":1,\"camera\":\"cam-2\",\"at\":\"%s\"}",
             rfc3339_print(rig_time(-HOUR), time));
    wall__conn_text(p->wall->conn, text, strlen(text));
    wall_rig_hang_up(p->wall);
    wall_rig_settle(p->wall);
    done(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, wall_rig_setup, wall_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(plays_from_the_key_frame_before),
        T(is_paced_by_speed),
        T(above_4_only_key_frames),
        T(above_4_not_every_key_frame),
        T(pauses_steps_and_goes_on),
        T(gaps_are_told_and_skipped),
        T(a_camera_that_stood_still_is_no_gap),
        T(sound_ahead_of_its_picture_holds_up_nothing),
        T(a_gap_may_begin_with_sound),
        T(a_seek_into_a_gap_begins_behind_it),
        T(the_end_is_told_after_the_last_picture),
        T(a_time_without_recordings_is_an_error),
        T(follows_a_recording_that_grows),
        T(a_seek_to_just_now_shows_what_is_newest_on_disk),
        T(a_seek_forgets_what_was_before),
        T(turns_live_and_back),
        T(hidden_tiles_rest),
        T(sound_is_sent_at_speed_1_only),
        T(a_new_format_comes_with_its_init_segment),
        T(waits_for_a_slow_connection),
        T(short_windows_are_followed),
        T(steps_back_by_a_picture),
        T(steps_by_a_key_frame),
        T(goes_on_from_what_was_picked),
        T(a_gap_read_again_is_told_once),
        T(the_page_may_leave_while_something_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
