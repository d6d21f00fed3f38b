/* Quirk M1, as far as the conversation goes: a camera that stumbles over its sound still shows its
 * pictures. */
#include "rtsp_client_rig.h"

#define VIDEO_IS_SET_UP "200 OK\nSession: 1;timeout=60\nTransport: RTP/AVP/TCP;interleaved=0-1\n"
#define SOUND_IS_SET_UP "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=2-3\n"

/* To SETUP of the first media, at one more connection. */
static void to_set_up(struct rig *rig, bool is_udp)
{
    begin_as(rig, URL, "u", "p", is_udp);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    assert_request(rig, "SETUP " URL "/track1 ");
}

static void to_sound(struct rig *rig, bool is_udp)
{
    to_set_up(rig, is_udp);
    answer(rig, is_udp ? "200 OK\nSession: 1\n" : VIDEO_IS_SET_UP, NULL);
    assert_request(rig, "SETUP " URL "/track2 ");
}

static void assert_plays_without(struct rig *rig, const char *why)
{
    assert_request(rig, "PLAY " URL " ");
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
    assert_int_equal(rig->session->n_tracks, 1);
    assert_int_equal(rig->session->left_out_codec, CODEC_PCMA);
    if (!strstr(rig->session->left_out_why, why))
        fail_msg("\"%s\" is not about \"%s\"", rig->session->left_out_why, why);
}

/* The next connection asks for the video only. */
static void assert_spares_sound(struct rig *rig, bool is_udp, const char *why)
{
    to_set_up(rig, is_udp);
    answer(rig, is_udp ? "200 OK\nSession: 1\n" : VIDEO_IS_SET_UP, NULL);
    assert_plays_without(rig, why);
    assert_true(rig->session->spares_sound);
    assert_int_equal(rig->session->n_extras + rig->session->n_left_out, 0);
}

static void M1_spares_sound_whose_setup_is_not_answered(void **state)
{
    struct rig *rig = *state;
    for (int is_udp = 0; is_udp < 2; is_udp++) {
        rig->memory = (struct rtsp_memory){0};
        to_sound(rig, is_udp);
        wait_s(rig, 10);
        assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_TIMEOUT);
        assert_request(rig, "TEARDOWN "); /* the video was set up */
        rig->memory.tries_all = true;     /* as an extra it would be no better */
        assert_spares_sound(rig, is_udp, "no answer to SETUP of its sound within 10 s");
    }
}

static void M1_spares_sound_that_is_answered_with_nonsense(void **state)
{
    struct rig *rig = *state;
    char endless[20000];
    memset(endless, 'x', sizeof endless);
    memcpy(endless, "RTSP/1.0 200 OK\r\nA: ", 20);
    to_sound(rig, false);
    feed(rig, "RTSP/1.0 OK fine\r\n\r\n\x01\x02", 22);
    wait_s(rig, 10);
    assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_TIMEOUT);
    assert_spares_sound(rig, false, "no answer to SETUP of its sound");
    rig->memory = (struct rtsp_memory){0};
    to_sound(rig, false);
    feed(rig, endless, sizeof endless);
    assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_PROTOCOL);
    assert_spares_sound(rig, false, "header");
}

/* Once may be the network. */
static void M1_spares_sound_over_which_the_camera_hangs_up_twice(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 2; i++) {
        to_sound(rig, false);
        session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
        assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_UNREACHABLE);
    }
    assert_spares_sound(rig, false,
                        "closed the connection instead of answering SETUP of its sound");
}

/* PLAY is about the pictures as well: it must happen twice, and is no reason to hurry. */
static void M1_suspects_sound_when_play_fails(void **state)
{
    static const struct {
        const char *answer; /* NULL = none */
        bool is_suspect;
    } rows[] = {
        {NULL, true},
        {"500 Internal Server Error\n", true},
        {"454 Session Not Found\n", true},
        {"453 Not Enough Bandwidth\n", false},
        {"404 Not Found\n", false},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rig->memory = (struct rtsp_memory){0};
        for (int n = 0; n < 2; n++) {
            to_sound(rig, false);
            answer(rig, SOUND_IS_SET_UP, NULL);
            assert_request(rig, "PLAY ");
            if (rows[i].answer)
                answer(rig, rows[i].answer, NULL);
            else
                wait_s(rig, 10);
            assert_int_equal(rig->session->end.verdict, SESSION_VERDICT_FAILED);
        }
        if (rows[i].is_suspect)
            assert_spares_sound(rig, false, "PLAY");
        else
            to_sound(rig, false);
    }
}

static void M1_goes_on_when_sound_is_refused(void **state)
{
    static const struct {
        const char *answer, *why;
    } rows[] = {
        {"461 Unsupported Transport\n", "461 Unsupported Transport to SETUP of its sound"},
        {"500 Broken\n", "500 Broken to SETUP of its sound"},
        {"404 Not Found\n", "404"},
        {"302 Moved\nLocation: rtsp://10.0.0.6/sound\n", "302"},
        {"200 OK\nSession: 1\nTransport: RTP/AVP;multicast;destination=239.0.0.1;port=4000-4001\n",
         "multicast"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        to_sound(rig, false);
        answer(rig, rows[i].answer, NULL);
        assert_plays_without(rig, rows[i].why);
        assert_false(rig->session->spares_sound); /* an answer costs nothing: asked each time */
    }
}

/* 401 for the sound alone is no wrong password; and as cameras count, it is not asked for again. */
static void M1_knows_a_user_who_may_not_hear(void **state)
{
    static const char challenge[] =
        "401 Unauthorized\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n";
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, challenge, NULL);
    answer(rig, "200 OK\n", sdp_av);
    answer(rig, VIDEO_IS_SET_UP, NULL);
    assert_request(rig, "SETUP " URL "/track2 ");
    answer(rig, challenge, NULL);
    assert_plays_without(rig, "401");
    for (int i = 0; i < 3; i++)
        assert_spares_sound(rig, false, "this user may not have the camera's sound");
}

/* The video's PLAY was answered: it flows, whatever becomes of the other one. */
static void M1_plays_when_only_sound_is_not_played(void **state)
{
    static const char *const answers[] = {"455 Method Not Valid\n", "302 Moved\nLocation: /x\n",
                                          NULL};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        to_sound(rig, false);
        answer(rig, SOUND_IS_SET_UP, NULL);
        answer(rig, "460 Only Aggregate Operation Allowed\n", NULL);
        answer(rig, "200 OK\n", NULL);
        assert_request(rig, "PLAY " URL "/track2 ");
        if (answers[i])
            answer(rig, answers[i], NULL);
        else
            wait_s(rig, 10);
        assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
        assert_non_null(strstr(rig->session->left_out_why, "PLAY of its sound"));
    }
}

/* Everything on the channels of the video: packets are told apart by their type. */
static void M1_sound_does_not_take_the_videos_channels(void **state)
{
    struct rig *rig = *state;
    to_sound(rig, false);
    answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=0-1\n", NULL);
    answer(rig, "200 OK\n", NULL);
    rig->n_frames[0] = rig->n_frames[1] = 0;
    send_frame(rig, 0, 96);
    send_frame(rig, 1, 200);
    assert_int_equal(rig->n_frames[0], 2);
    assert_int_equal(rig->n_frames[1], 0);
}

/* Quirk K6: an older session explains all of it. */
static void M1_does_not_suspect_sound_beside_an_older_session(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 2; i++) {
        begin(rig);
        send_frame(rig, 0, 96);
        to_describe(rig);
        answer(rig, "200 OK\n", sdp_av);
        answer(rig, VIDEO_IS_SET_UP, NULL);
        session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
        assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE);
    }
    to_sound(rig, false);
}

/* One try spares it; if that shows no picture, sound was not it. Twice shown, it is certain. */
static void M1_asks_for_sound_again_until_it_is_certain(void **state)
{
    struct sound_doubt d = {0};
    (void)state;
    sound_doubt_failed(&d, SOUND_SUSPECT, "a");
    assert_false(sound_doubt_spares(&d));
    sound_doubt_excuse(&d); /* it was away */
    sound_doubt_failed(&d, SOUND_SUSPECT, "b");
    assert_false(sound_doubt_spares(&d));
    sound_doubt_failed(&d, SOUND_SUSPECT, "c");
    assert_true(sound_doubt_spares(&d));
    assert_string_equal(d.text, "c");
    sound_doubt_use_up(&d);
    assert_false(sound_doubt_spares(&d)); /* no picture came without it */
    for (int i = 0; i < 2; i++) {
        assert_false(sound_doubt_spares(&d));
        sound_doubt_failed(&d, SOUND_TO_BLAME, "d");
        assert_true(sound_doubt_spares(&d));
        sound_doubt_use_up(&d);
        sound_doubt_played(&d, false);
    }
    assert_true(sound_doubt_spares(&d));
    sound_doubt_use_up(&d);
    sound_doubt_excuse(&d);
    assert_true(sound_doubt_spares(&d));
    sound_doubt_played(&d, true); /* of new settings or a new camera: all is forgotten */
    assert_false(sound_doubt_spares(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(M1_spares_sound_whose_setup_is_not_answered),
        T(M1_spares_sound_that_is_answered_with_nonsense),
        T(M1_spares_sound_over_which_the_camera_hangs_up_twice),
        T(M1_suspects_sound_when_play_fails),
        T(M1_goes_on_when_sound_is_refused),
        T(M1_knows_a_user_who_may_not_hear),
        T(M1_plays_when_only_sound_is_not_played),
        T(M1_sound_does_not_take_the_videos_channels),
        T(M1_does_not_suspect_sound_beside_an_older_session),
        T(M1_asks_for_sound_again_until_it_is_certain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
