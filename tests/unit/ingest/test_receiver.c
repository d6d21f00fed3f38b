#include "ingest/receiver.h"

#include "media/rtp.h"
#include "rig.h"

#define SSRC 0x11223344
#define STEP 3600

struct rig {
    struct receiver *receiver;
    struct sdp sdp;
    int64_t mono_us, wall_us;
    uint16_t seq; /* of the next packet made */
    uint32_t ts;
    uint32_t ssrc;
    struct packet *got[64];
    int n_got;
};

static void on_packet(void *ctx, struct packet *pkt)
{
    struct rig *rig = ctx;
    assert_true(rig->n_got < (int)ARRAY_LEN(rig->got));
    rig->got[rig->n_got++] = packet_ref(pkt);
}

static void forget(struct rig *rig)
{
    while (rig->n_got > 0)
        packet_unref(&rig->got[--rig->n_got]);
}

static void open_as(struct rig *rig, const char *sdp, bool is_udp)
{
    sdp_fini(&rig->sdp);
    assert_int_equal(sdp_parse(span_of(sdp), &rig->sdp, NULL), 0);
    const struct sdp_media *audio = rig->sdp.n_medias > 1 ? &rig->sdp.medias[1] : NULL;
    assert_int_equal(receiver_open(rig->receiver, &rig->sdp.medias[0], audio, is_udp), 0);
}

static void advance(struct rig *rig, int64_t us)
{
    rig->mono_us += us;
    rig->wall_us += us;
    receiver_arrive(rig->receiver, rig->mono_us, rig->wall_us);
}

static void input(struct rig *rig, int track, uint8_t pt, uint16_t seq, uint32_t ts,
                  const uint8_t *payload, size_t n)
{
    uint8_t bytes[2048];
    n = rig_rtp(bytes, pt, true, seq, ts, rig->ssrc, payload, n);
    receiver_input(rig->receiver, track, bytes, n);
}

static void slice(struct rig *rig, uint16_t seq, uint32_t ts, bool is_key)
{
    uint8_t nal[200];
    input(rig, 0, 96, seq, ts, nal, rig_slice(nal, is_key, sizeof nal));
}

/* The next picture, 40 ms after the one before; each is one packet. */
static void picture(struct rig *rig, bool is_key)
{
    advance(rig, 40000);
    rig->ts += STEP;
    slice(rig, rig->seq++, rig->ts, is_key);
}

/* A key frame and one more; the first marker is believed when the next picture proves it right. */
static void start(struct rig *rig)
{
    picture(rig, true);
    picture(rig, false);
    assert_int_equal(rig->n_got, 2);
}

static void assert_steady(const struct rig *rig)
{
    for (int i = 1; i < rig->n_got; i++)
        assert_true(rig->got[i]->dts > rig->got[i - 1]->dts);
}

/* --- tests --- */

static void publishes_from_the_first_key_frame(void **state)
{
    struct rig *rig = *state;
    picture(rig, false);
    picture(rig, false);
    assert_int_equal(rig->n_got, 0);
    assert_int_equal(receiver_stats(rig->receiver)->n_pictures, 2);
    assert_null(receiver_format(rig->receiver));
    picture(rig, true);
    picture(rig, false);
    assert_int_equal(rig->n_got, 2);
    assert_true(rig->got[0]->is_key);
    assert_true(rig->got[0]->is_discontinuity);
    assert_false(rig->got[1]->is_discontinuity);
    assert_int_equal(rig->got[1]->pts - rig->got[0]->pts, STEP);
    assert_int_equal(rig->got[0]->arrival_mono_us, rig->mono_us - 40000);
    assert_int_equal(rig->got[1]->arrival_mono_us, rig->mono_us);
    assert_int_equal(rig->got[0]->format->width, 640);
    assert_int_equal(receiver_format(rig->receiver)->height, 360);
    assert_int_equal(receiver_stats(rig->receiver)->n_published, 2);
}

static void H7_takes_parameter_sets_in_band(void **state)
{
    static const uint8_t sps[] = {RIG_SPS};
    static const uint8_t pps[] = {RIG_PPS};
    struct rig *rig = *state;
    open_as(rig, RIG_SDP_HEAD RIG_VIDEO, false);
    picture(rig, true);
    assert_int_equal(rig->n_got, 0);
    assert_false(receiver_stats(rig->receiver)->has_parameter_sets);
    rig->ts += STEP;
    input(rig, 0, 96, rig->seq++, rig->ts, sps, sizeof sps);
    input(rig, 0, 96, rig->seq++, rig->ts, pps, sizeof pps);
    slice(rig, rig->seq++, rig->ts, true);
    picture(rig, false);
    assert_int_equal(rig->n_got, 2);
    assert_true(receiver_stats(rig->receiver)->has_parameter_sets);
}

static void R6_counts_loss_and_marks_it(void **state)
{
    struct rig *rig = *state;
    start(rig);
    rig->seq += 3;
    picture(rig, false);
    assert_int_equal(rig->n_got, 3);
    assert_int_equal(rig->got[2]->lost_before, 3);
    assert_true(rig->got[2]->is_discontinuity);
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 3);
    open_as(rig, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP, false); /* totals survive */
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 3);
}

static void T5_R8_survives_the_wrap_of_sequence_and_time(void **state)
{
    struct rig *rig = *state;
    rig->seq = 65530;
    rig->ts = UINT32_MAX - 5 * STEP;
    picture(rig, true);
    for (int i = 0; i < 20; i++)
        picture(rig, false);
    assert_int_equal(rig->n_got, 21);
    assert_steady(rig);
    assert_int_equal(rig->got[20]->pts - rig->got[0]->pts, 20 * STEP);
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 0);
}

static void R5_goes_on_at_once_when_the_count_restarts(void **state)
{
    struct rig *rig = *state;
    rig->seq = 20000;
    start(rig);
    rig->seq = 5;
    picture(rig, false);
    picture(rig, false);
    assert_int_equal(rig->n_got, 4);
    assert_true(rig->got[2]->is_discontinuity);
    assert_false(rig->got[3]->is_discontinuity);
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 0);
}

static void R1_ignores_foreign_payload_types(void **state)
{
    static const uint8_t trash[57] = {1, 2, 3};
    struct rig *rig = *state;
    picture(rig, true);
    input(rig, 0, 50, rig->seq, rig->ts + STEP, trash,
          sizeof trash); /* the next number, quirk R1 */
    picture(rig, false);
    input(rig, 0, 50, (uint16_t)(rig->seq - 1), rig->ts, trash, sizeof trash);
    picture(rig, false);
    assert_int_equal(rig->n_got, 3);
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 0);
    assert_int_equal(receiver_stats(rig->receiver)->n_foreign, 2);
}

static void K6_keeps_to_its_sender_while_it_lives(void **state)
{
    struct rig *rig = *state;
    picture(rig, true);
    for (int i = 0; i < 40; i++) {
        rig->ssrc = 0xdead;
        slice(rig, (uint16_t)(500 + i), 77, true);
        rig->ssrc = SSRC;
        picture(rig, false);
    }
    assert_int_equal(rig->n_got, 41);
    assert_int_equal(receiver_stats(rig->receiver)->n_foreign, 40);
    assert_steady(rig);
}

static void K6_takes_the_sender_with_a_key_frame(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 6; i++) {
        rig->ssrc = 0xdead; /* a ghost speaks first */
        slice(rig, (uint16_t)(500 + i), 77 + (uint32_t)i, false);
        rig->ssrc = SSRC;
        picture(rig, i == 2);
    }
    assert_int_equal(rig->n_got, 4);
    assert_true(rig->got[0]->is_key);
    assert_steady(rig);
}

static void R3_follows_a_new_sender(void **state)
{
    struct rig *rig = *state;
    start(rig);
    advance(rig, 1500000); /* the old one is silent */
    rig->ssrc = 0xbeef;
    rig->seq = 9;
    rig->ts = 12345;
    picture(rig, false); /* not to be decoded without a key frame */
    assert_int_equal(rig->n_got, 2);
    picture(rig, true);
    picture(rig, false);
    assert_int_equal(rig->n_got, 4);
    assert_true(rig->got[2]->is_discontinuity);
    assert_steady(rig);

    rig->ssrc = 0xcafe; /* without silence: believed after 20 in a row, of which none is lost */
    for (int i = 0; i < 19; i++)
        picture(rig, i == 0);
    assert_int_equal(rig->n_got, 4);
    picture(rig, false);
    assert_int_equal(rig->n_got, 24);
    assert_true(rig->got[4]->is_key);
    assert_steady(rig);
    assert_int_equal(receiver_stats(rig->receiver)->n_foreign, 0);
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 0);
}

static void R7_puts_udp_in_order(void **state)
{
    static const int order[] = {0, 2, 1, 1, 4, 5, 3, 2, 6};
    struct rig *rig = *state;
    open_as(rig, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP, true);
    rig->seq = 65533;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        advance(rig, 31000);
        slice(rig, (uint16_t)(rig->seq + order[i]), 90000 + (uint32_t)(order[i] * STEP),
              order[i] == 0);
    }
    assert_int_equal(rig->n_got, 7);
    assert_steady(rig);
    for (int i = 1; i < rig->n_got; i++) {
        assert_false(rig->got[i]->is_discontinuity);
        assert_int_equal(rig->got[i]->pts - rig->got[i - 1]->pts, STEP);
    }
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 0);
}

static void R7_gives_up_on_a_udp_packet_in_time(void **state)
{
    struct rig *rig = *state;
    open_as(rig, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP, true);
    start(rig);
    rig->seq++;
    rig->ts += STEP;
    picture(rig, false);
    receiver_tick(rig->receiver, rig->mono_us + 90000);
    assert_int_equal(rig->n_got, 2);
    receiver_tick(rig->receiver, rig->mono_us + 100000);
    assert_int_equal(rig->n_got, 3);
    assert_int_equal(rig->got[2]->lost_before, 1);

    rig->seq++; /* another one, and so much behind it that the window is full */
    advance(rig, 1000);
    for (int i = 0; i < RECEIVER_WINDOW; i++) {
        rig->ts += STEP;
        slice(rig, rig->seq++, rig->ts, false);
    }
    assert_int_equal(rig->n_got, 3 + RECEIVER_WINDOW);
    assert_int_equal(receiver_stats(rig->receiver)->n_lost_packets, 2);
    rig->seq += 2000; /* far ahead: no window helps */
    picture(rig, false);
    assert_int_equal(rig->n_got, 4 + RECEIVER_WINDOW);
}

static void H15_waits_for_a_key_frame_after_an_endless_picture(void **state)
{
    struct rig *rig = *state;
    static uint8_t piece[60000] = {0x7c, 0x85, 0x88};
    static uint8_t bytes[sizeof piece + 12];
    start(rig);
    rig->ts += STEP;
    for (unsigned i = 0; i < PACKET_MAX_BYTES / sizeof piece + 2; i++) {
        piece[1] = i == 0 ? 0x81 : 0x01;
        size_t n = rig_rtp(bytes, 96, false, rig->seq++, rig->ts, SSRC, piece, sizeof piece);
        receiver_input(rig->receiver, 0, bytes, n);
    }
    assert_int_equal(receiver_stats(rig->receiver)->n_oversize, 1);
    assert_true(receiver_stats(rig->receiver)->is_endless);
    picture(rig, false);
    picture(rig, false);
    assert_int_equal(rig->n_got, 2);
    picture(rig, true);
    picture(rig, false);
    assert_int_equal(rig->n_got, 4);
    assert_true(rig->got[2]->is_key && rig->got[2]->is_discontinuity);
    assert_int_equal(receiver_stats(rig->receiver)->n_oversize, 1);
    assert_false(receiver_stats(rig->receiver)->is_endless);
}

/* --- audio --- */

static void sound(struct rig *rig, int track, uint16_t seq, uint32_t ts)
{
    static const uint8_t alaw[160] = {0xd5};
    input(rig, track, 8, seq, ts, alaw, sizeof alaw);
}

static void publishes_audio_after_video(void **state)
{
    struct rig *rig = *state;
    open_as(rig, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP RIG_AUDIO, false);
    assert_true(receiver_has_audio(rig->receiver));
    sound(rig, 1, 1, 160);
    assert_int_equal(rig->n_got, 0);
    start(rig);
    advance(rig, 20000);
    sound(rig, 1, 2, 320);
    advance(rig, 20000);
    sound(rig, 0, 3, 480); /* quirk I4: on the other track's channel */
    assert_int_equal(rig->n_got, 4);
    assert_false(rig->got[2]->is_video);
    assert_int_equal(rig->got[2]->format->codec, CODEC_PCMA);
    assert_int_equal(rig->got[2]->format->timescale, 8000);
    assert_int_equal(rig->got[3]->pts - rig->got[2]->pts, 160);
}

/* Absent, garbage, ten times too much, with stamps that go back or stand still, late by minutes: in
 * every case the pictures are the same, at the same times (quirks M1, M3). */
static void M3_pictures_do_not_wait_for_sound(void **state)
{
    struct rig *rig = *state;
    static const char *const sounds[] = {
        RIG_AUDIO, "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 mpeg4-generic/16000/1\r\n"
                   "a=fmtp:8 mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;"
                   "indexdeltalength=3\r\n"};
    enum { ABSENT, GARBAGE, TENFOLD, BACKWARD, STILL, LATE, N_KINDS };
    int64_t usual[22] = {0};
    for (size_t k = 0; k < ARRAY_LEN(sounds) * N_KINDS; k++) {
        size_t kind = k % N_KINDS;
        char sdp[1024];
        uint16_t seq = 1;
        int n_video = 0;
        snprintf(sdp, sizeof sdp, "%s%s", RIG_SDP_HEAD RIG_VIDEO RIG_FMTP, sounds[k / N_KINDS]);
        forget(rig);
        open_as(rig, sdp, false);
        assert_true(receiver_has_audio(rig->receiver));
        start(rig);
        for (int i = 0; i < 20; i++) {
            int n = kind == TENFOLD ? 20 : kind == ABSENT || (kind == LATE && i < 15) ? 0 : 2;
            for (int s = 0; s < n; s++, seq++) {
                uint8_t bytes[170] = {0, 16, (uint8_t)(160 >> 5), (uint8_t)(160 << 3)};
                for (size_t b = 0; kind == GARBAGE && b < sizeof bytes; b++)
                    bytes[b] = (uint8_t)((b + seq) * 167 + 13);
                uint32_t ts = kind == BACKWARD ? 0u - seq * 999u : kind == STILL ? 5 : seq * 160u;
                input(rig, 1, 8, seq, ts, bytes, kind == GARBAGE ? seq % sizeof bytes : 164);
            }
            picture(rig, false);
            for (int g = 0; g < rig->n_got; g++) {
                if (!rig->got[g]->is_video)
                    continue;
                assert_true(n_video == 0 || !rig->got[g]->is_discontinuity);
                if (k == 0)
                    usual[n_video] = rig->got[g]->dts;
                assert_int_equal(rig->got[g]->dts, usual[n_video]);
                n_video++;
            }
            forget(rig);
        }
        assert_int_equal(n_video, 22);
        bool is_heard = receiver_stats(rig->receiver)->n_sounds > 0;
        assert_true(kind == GARBAGE || is_heard == (kind != ABSENT));
    }
}

static void check_trouble(struct rig *rig, const char *sdp)
{
    forget(rig);
    open_as(rig, sdp, false);
    start(rig);
    for (int i = 0; i < 20; i++) {
        sound(rig, 1, (uint16_t)(i * 7919), (uint32_t)i * 0x70000001u);
        picture(rig, false);
    }
    int n_video = 0;
    for (int i = 0; i < rig->n_got; i++) {
        n_video += rig->got[i]->is_video;
        assert_true(i == 0 || !rig->got[i]->is_video || !rig->got[i]->is_discontinuity);
    }
    assert_int_equal(n_video, 22);
}

static void M1_audio_trouble_never_touches_video(void **state)
{
    check_trouble(*state, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP RIG_AUDIO);
}

static void M2_nor_do_16_bit_samples(void **state)
{
    check_trouble(*state,
                  RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 L16/8000\r\n");
}

/* --- RTCP and figures --- */

static void sender_report(struct rig *rig, int64_t camera_us)
{
    uint8_t bytes[28];
    uint64_t s = (uint64_t)(camera_us / US_PER_S) + UINT64_C(2208988800);
    uint64_t fraction = ((uint64_t)(camera_us % US_PER_S) << 32) / US_PER_S;
    struct rtcp_sender_report sr = {
        .ssrc = 99, .ntp = s << 32 | fraction, .timestamp = rig->ts}; /* another SSRC, quirk R4 */
    receiver_input(rig->receiver, 0, bytes,
                   rtcp_print_sender_report(&sr, 1, 1, bytes, sizeof bytes));
}

static void T6_measures_the_cameras_clock(void **state)
{
    struct rig *rig = *state;
    const struct receiver_stats *stats = receiver_stats(rig->receiver);
    picture(rig, true);
    sender_report(rig, rig->wall_us + 2500000);
    assert_false(stats->has_clock_offset); /* one is none */
    advance(rig, 5000000);
    sender_report(rig, rig->wall_us + 2500000);
    assert_true(stats->has_clock_offset);
    assert_true(stats->clock_offset_s > 2.49 && stats->clock_offset_s < 2.51);
    advance(rig, 5000000);
    sender_report(rig, rig->wall_us + 3600 * US_PER_S); /* a step: not believed yet */
    assert_true(stats->clock_offset_s < 2.51);
    advance(rig, 5000000);
    sender_report(rig, rig->wall_us + 3600 * US_PER_S);
    assert_true(stats->clock_offset_s > 3599 && stats->clock_offset_s < 3601);
}

static void T6_knows_a_camera_without_a_clock(void **state)
{
    struct rig *rig = *state;
    picture(rig, true);
    for (int i = 0; i < 3; i++) {
        sender_report(rig, i * 5 * US_PER_S); /* 1970 */
        advance(rig, 5000000);
    }
    assert_false(receiver_stats(rig->receiver)->has_clock_offset);
}

static void reports_what_it_received(void **state)
{
    struct rig *rig = *state;
    uint8_t bytes[64];
    assert_int_equal(receiver_report(rig->receiver, 0, rig->mono_us, bytes, sizeof bytes), 0);
    rig->seq = 65535;
    picture(rig, true);
    picture(rig, false);
    picture(rig, false);
    sender_report(rig, rig->wall_us);
    assert_int_equal(receiver_report(rig->receiver, 0, rig->mono_us + 500000, bytes, sizeof bytes),
                     32);
    assert_int_equal(get_be32(bytes), 0x81c90007);
    assert_int_equal(get_be32(bytes + 8), SSRC);
    assert_int_equal(get_be32(bytes + 16), 0x10001); /* one wrap */
    assert_int_equal(get_be32(bytes + 28), 32768);   /* half a second */
}

static void measures_frames_and_groups(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 51; i++)
        picture(rig, i % 25 == 0);
    const struct receiver_stats *stats = receiver_stats(rig->receiver);
    assert_int_equal(stats->frame_us, 40000);
    assert_true(stats->gop_s > 0.999 && stats->gop_s < 1.001);
    assert_int_equal(stats->n_keys, 3);
    assert_int_equal(stats->n_bytes, 51 * 212);
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig->mono_us = 5000 * US_PER_S;
    rig->wall_us = INT64_C(1800000000) * US_PER_S;
    rig->seq = 100;
    rig->ts = 1000000;
    rig->ssrc = SSRC;
    struct receiver_params params = {.publish = on_packet, .ctx = rig, .own_ssrc = 1};
    rig->receiver = receiver_create(&params);
    open_as(rig, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP, false);
    advance(rig, 0);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    receiver_destroy(&rig->receiver);
    sdp_fini(&rig->sdp);
    forget(rig);
    free(rig);
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(publishes_from_the_first_key_frame),
        T(H7_takes_parameter_sets_in_band),
        T(R6_counts_loss_and_marks_it),
        T(T5_R8_survives_the_wrap_of_sequence_and_time),
        T(R5_goes_on_at_once_when_the_count_restarts),
        T(R1_ignores_foreign_payload_types),
        T(K6_keeps_to_its_sender_while_it_lives),
        T(K6_takes_the_sender_with_a_key_frame),
        T(R3_follows_a_new_sender),
        T(R7_puts_udp_in_order),
        T(R7_gives_up_on_a_udp_packet_in_time),
        T(H15_waits_for_a_key_frame_after_an_endless_picture),
        T(publishes_audio_after_video),
        T(M3_pictures_do_not_wait_for_sound),
        T(M1_audio_trouble_never_touches_video),
        T(M2_nor_do_16_bit_samples),
        T(T6_measures_the_cameras_clock),
        T(T6_knows_a_camera_without_a_clock),
        T(reports_what_it_received),
        T(measures_frames_and_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
