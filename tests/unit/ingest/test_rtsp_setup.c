/* The client's choice of medias, and what cameras make of SETUP. */
#include "rtsp_client_rig.h"

static void plays_over_udp(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "", "", true);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    assert_request(rig, "SETUP " URL "/track1 RTSP/1.0\r\n");
    assert_header(rig, "Transport: RTP/AVP;unicast;client_port=40000-40001\r\n");
    answer(rig,
           "200 OK\nSession: 7\n"
           "Transport: RTP/AVP;unicast;client_port=40000-40001;server_port=6970-6971\n",
           NULL);
    assert_header(rig, "client_port=40002-40003\r\n");
    answer(rig, "200 OK\nSession: 7\nTransport: RTP/AVP;unicast;client_port=40002-40003\n", NULL);
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
    assert_false(rig->session->tracks[0].is_tcp);
    assert_int_equal(rig->session->tracks[0].server_port[1], 6971);
    assert_int_equal(rig->session->tracks[1].server_port[0], 0);
    assert_int_equal(rig->n_ports, 2);
}

static void P6_takes_tcp_when_udp_is_answered_so(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "", "", true);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_v);
    answer(rig, "200 OK\nSession: 7\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\n", NULL);
    answer(rig, "200 OK\n", NULL);
    assert_true(rig->session->tracks[0].is_tcp);
    send_frame(rig, 0, 96);
    assert_int_equal(rig->n_frames[0], 1);
}

static void P1_P2_uses_the_channels_of_the_answer(void **state)
{
    static const struct {
        const char *transport;
        uint8_t rtp, rtcp;
    } rows[] = {
        {"RTP/AVP/TCP;unicast;interleaved=8-9", 8, 9},
        {"RTP/AVP/TCP;interleaved=20", 20, 21},
        {"RTP/AVP;unicast;interleaved=4-5", 4, 5},
        {"RTP/AVP/TCP;unicast;ssrc=     D93FF", 0, 1},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char head[256];
        rig->n_frames[0] = 0;
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", sdp_v);
        snprintf(head, sizeof head, "200 OK\nSession: 7\nTransport: %s\n", rows[i].transport);
        answer(rig, head, NULL);
        answer(rig, "200 OK\n", NULL);
        assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
        send_frame(rig, rows[i].rtp, 96);
        send_frame(rig, rows[i].rtcp, 200);
        assert_int_equal(rig->n_frames[0], 2);
        assert_true(rig->session->tracks[0].is_tcp);
    }
}

static void P5_counts_what_nobody_set_up(void **state)
{
    struct rig *rig = *state;
    to_playing(rig);
    send_frame(rig, 4, 96);
    send_frame(rig, 0, 96);
    send_frame(rig, 15, 200);
    send_frame(rig, 3, 200);
    assert_int_equal(rig->session->n_unrequested, 2);
    assert_int_equal(rig->session->n_early, 0);
    assert_int_equal(rig->n_frames[0], 1);
    assert_int_equal(rig->n_frames[1], 1);
    session_stop(rig->session, rig->now_us);
    send_frame(rig, 4, 96); /* nothing is taken any more */
    assert_int_equal(rig->session->n_unrequested, 2);
}

/* To SETUP of the first media. */
static void to_set_up(struct rig *rig, const char *sdp, bool is_udp)
{
    begin_as(rig, URL, "", "", is_udp);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp);
}

static void P5_sets_up_all_it_describes(void **state)
{
    static const char sdp[] =
        RIG_SDP_HEAD "m=application 0 RTP/AVP 107\r\na=control:meta\r\n" RIG_VIDEO RIG_FMTP
                     "a=control:v\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\n"
                     "a=control:opus\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:back\r\n"
                     "m=application 0 RTP/AVP 107\r\nm=application 0 RTP/AVP 108\r\na=control:v\r\n"
                     "m=application 0 RTP/AVP 109\r\na=control:meta\r\n";
    static const struct {
        bool is_tried, is_needed, gets_all;
    } rows[] = {
        {false, false, false}, {true, false, true}, {false, false, false}, {false, true, true}};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool all = rows[i].gets_all;
        rig->memory.tries_all = rows[i].is_tried;
        rig->memory.needs_all = rows[i].is_needed;
        rig->n_frames[0] = 0;
        to_set_up(rig, sdp, false);
        assert_request(rig, "SETUP " URL "/v ");
        assert_int_equal(rig->memory.tries_all, rows[i].is_tried);
        answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=0-1\n", NULL);
        assert_false(rig->memory.tries_all); /* used up */
        if (all) {
            assert_request(rig, "SETUP " URL "/meta ");
            assert_header(rig, "interleaved=2-3\r\n");
            answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=2-3\n", NULL);
            assert_request(rig, "SETUP " URL "/opus ");
            answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=4-5\n", NULL);
        }
        assert_request(rig, "PLAY ");
        answer(rig, "200 OK\n", NULL);
        assert_int_equal(rig->session->n_tracks, 1);
        assert_int_equal(rig->session->n_extras, all ? 2 : 0);
        assert_int_equal(rig->session->n_left_out, all ? 0 : 2);
        for (uint8_t channel = 0; channel < 6; channel++)
            send_frame(rig, channel, 107);
        assert_int_equal(rig->n_frames[0], 2);
        assert_int_equal(rig->session->n_unrequested, all ? 0 : 4);
    }
}

static void P5_goes_on_without_what_is_refused(void **state)
{
    static const char sdp[] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP
        "a=control:v\r\n" RIG_AUDIO "a=control:a\r\nm=application 0 RTP/AVP 107\r\n"
        "a=control:m1\r\nm=application 0 RTP/AVP 107\r\n"
        "a=control:m2\r\n";
    struct rig *rig = *state;
    rig->memory.needs_all = true;
    to_set_up(rig, sdp, false);
    answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=0-1\n", NULL);
    assert_request(rig, "SETUP " URL "/a ");
    answer(rig, "500 Internal Server Error\n", NULL);
    assert_request(rig, "SETUP " URL "/m1 ");
    answer(rig, "461 Unsupported Transport\n", NULL);
    assert_request(rig, "SETUP " URL "/m2 ");
    /* not the channels of the video */
    answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=1-2\n", NULL);
    assert_request(rig, "PLAY ");
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rig->session->n_tracks, 1);
    assert_int_equal(rig->session->n_extras, 1);
    send_frame(rig, 0, 96);
    send_frame(rig, 1, 200);
    send_frame(rig, 2, 107);
    assert_int_equal(rig->n_frames[0], 2);
    assert_int_equal(rig->session->n_unrequested, 0);
}

static void P5_sets_up_eight_medias_at_most(void **state)
{
    char sdp[2048] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:v\r\n";
    struct rig *rig = *state;
    for (int i = 0; i < 12; i++) {
        size_t n = strlen(sdp);
        snprintf(sdp + n, sizeof sdp - n, "m=application 0 RTP/AVP 107\r\na=control:m%d\r\n", i);
    }
    rig->memory.tries_all = true;
    to_set_up(rig, sdp, true);
    for (int i = 0; i < SESSION_MAX_MEDIAS; i++) {
        assert_request(rig, "SETUP ");
        answer(rig, "200 OK\nSession: 1\n", NULL);
    }
    assert_request(rig, "PLAY ");
    assert_int_equal(rig->n_ports, SESSION_MAX_MEDIAS);
    assert_int_equal(rig->session->n_extras, 7);
    assert_int_equal(rig->session->n_left_out, 5);
}

static void U1_U3_joins_the_control_as_cameras_mean_it(void **state)
{
    static const struct {
        const char *url, *base, *control, *setup, *play;
    } rows[] = {
        {"rtsp://h/tcp/av0_0", "rtsp://h:554/tcp/av0_0", "track0", "rtsp://h/tcp/av0_0/track0",
         "rtsp://h/tcp/av0_0"},
        {"rtsp://h/cam", "rtsp://h/cam/", "*", "rtsp://h/cam/", "rtsp://h/cam/"},
        {"rtsp://h/cam", NULL, NULL, "rtsp://h/cam", "rtsp://h/cam"},
        {"rtsp://nat:8554/media/video1", NULL, "rtsp://192.168.1.98/media/video1/video",
         "rtsp://nat:8554/media/video1/video", "rtsp://nat:8554/media/video1"},
        {"rtsp://h/cam/realmonitor?channel=1&subtype=1",
         "rtsp://h/cam/realmonitor?channel=1&subtype=1&proto=Onvif/", "trackID=0",
         "rtsp://h/cam/realmonitor?channel=1&subtype=1&proto=Onvif/trackID=0",
         "rtsp://h/cam/realmonitor?channel=1&subtype=1&proto=Onvif/"},
        {"rtsp://user:p%40ss@h/cam", "h:554/cam/", "t", "rtsp://h/cam/t", "rtsp://h/cam/"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char head[512], body[1024], expected[512];
        begin_as(rig, rows[i].url, "", "", false);
        to_describe(rig);
        snprintf(head, sizeof head, "200 OK\n%s%s%s", rows[i].base ? "Content-Base: " : "",
                 rows[i].base ? rows[i].base : "", rows[i].base ? "\n" : "");
        snprintf(body, sizeof body, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "%s%s%s",
                 rows[i].control ? "a=control:" : "", rows[i].control ? rows[i].control : "",
                 rows[i].control ? "\r\n" : "");
        answer(rig, head, body);
        snprintf(expected, sizeof expected, "SETUP %s RTSP/1.0\r\n", rows[i].setup);
        assert_request(rig, expected);
        answer(rig, "200 OK\nSession: 1\n", NULL);
        snprintf(expected, sizeof expected, "PLAY %s RTSP/1.0\r\n", rows[i].play);
        assert_request(rig, expected);
    }
}

static void U2_U4_tries_other_readings_of_the_control(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, "rtsp://h/live?ch=1", "", "", false);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_v);
    assert_request(rig, "SETUP rtsp://h/live?ch=1/track1 ");
    answer(rig, "404 Not Found\n", NULL);
    assert_request(rig, "SETUP rtsp://h/live/track1?ch=1 ");
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_request(rig, "PLAY ");

    begin_as(rig, "rtsp://nat:8554/v", "", "", false);
    to_describe(rig);
    answer(rig, "200 OK\n", RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:rtsp://10.1.1.1/v/t\r\n");
    assert_request(rig, "SETUP rtsp://nat:8554/v/t ");
    answer(rig, "454 Session Not Found\n", NULL);
    assert_request(rig, "SETUP rtsp://10.1.1.1/v/t ");
    answer(rig, "404 Not Found\n", NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_NOT_FOUND);
}

static void judges_the_description(void **state)
{
    static const struct {
        const char *body;
        enum stream_cause cause;
    } rows[] = {
        {RIG_SDP_HEAD RIG_AUDIO, CAUSE_NO_VIDEO},
        {RIG_SDP_HEAD, CAUSE_NO_VIDEO},
        {RIG_SDP_HEAD "m=video 0 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n", CAUSE_UNSUPPORTED},
        {"<html>hello</html>", CAUSE_PROTOCOL},
        {"", CAUSE_PROTOCOL},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", rows[i].body);
        assert_end(rig, SESSION_VERDICT_FAILED, rows[i].cause);
    }
}

static void picks_what_is_meant_for_us(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n",
           RIG_SDP_HEAD "m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\n" RIG_VIDEO
                        "a=control:v\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:back\r\n"
                        "m=audio 0 RTP/AVP 101\r\na=rtpmap:101 G729/8000\r\n" RIG_AUDIO
                        "a=control:a\r\n");
    assert_request(rig, "SETUP " URL "/v ");
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_request(rig, "SETUP " URL "/a ");

    begin(rig); /* some mark their only real streams so */
    to_describe(rig);
    answer(rig, "200 OK\n", RIG_SDP_HEAD RIG_VIDEO "a=sendonly\r\na=control:v\r\n");
    assert_request(rig, "SETUP " URL "/v ");
}

static void goes_on_without_audio(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    answer(rig, "500 Internal Server Error\n", NULL);
    assert_request(rig, "PLAY ");
    assert_int_equal(rig->session->n_tracks, 1);
}

/* Video goes on, and what the sound is called is known (quirks M2, D8, D9). */
static void M2_names_sound_that_cannot_be_carried(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *media, *name;
    } cases[] = {
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\n", "G726-32"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 AAL2-G726-16/8000\r\n", "AAL2-G726-16"},
        {"m=audio 0 RTP/AVP 9\r\n", "G722"},
        {"m=audio 0 RTP/AVP 14\r\n", "MPA"},
        {"m=audio 0 RTP/AVP 11\r\na=rtpmap:11 PCM/96000\r\n", "PCM/96000/1"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L24/16000/2\r\n", "L24"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/48000/2\r\n", "MP4A-LATM"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\n", "opus"},
        {"m=audio 0 RTP/AVP 97\r\n", "unknown"},
        {"m=audio 0 RTP/AVP 9\r\na=sendonly\r\n", ""}, /* a backchannel is no sound of it */
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sdp[1024];
        snprintf(sdp, sizeof sdp, "%sa=control:v\r\n%s", RIG_SDP_HEAD RIG_VIDEO, cases[i].media);
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", sdp);
        assert_request(rig, "SETUP " URL "/v ");
        answer(rig, "200 OK\nSession: 1\n", NULL);
        assert_request(rig, "PLAY ");
        assert_string_equal(rig->session->other_audio, cases[i].name);
    }
}

static void asks_for_the_other_transport(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    answer(rig, "461 Unsupported transport\n", NULL);
    assert_end(rig, SESSION_VERDICT_TRANSPORT, CAUSE_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(plays_over_udp),
        T(P6_takes_tcp_when_udp_is_answered_so),
        T(P1_P2_uses_the_channels_of_the_answer),
        T(P5_counts_what_nobody_set_up),
        T(P5_sets_up_all_it_describes),
        T(P5_goes_on_without_what_is_refused),
        T(P5_sets_up_eight_medias_at_most),
        T(U1_U3_joins_the_control_as_cameras_mean_it),
        T(U2_U4_tries_other_readings_of_the_control),
        T(judges_the_description),
        T(picks_what_is_meant_for_us),
        T(goes_on_without_audio),
        T(M2_names_sound_that_cannot_be_carried),
        T(asks_for_the_other_transport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
