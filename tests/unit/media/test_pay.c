#include "media_rig.h"

#include "base/buf.h"
#include "base/err.h"
#include "media/depay.h"
#include "media/pay.h"

/* What is paid goes straight into a depacketizer; what comes out must be what went in. */
struct loop_back {
    struct depay *d;
    size_t max_payload;
    uint32_t timestamp;
    int n_pieces, n_markers;
    struct packet *out[8];
    size_t n_out;
};

static void on_unit(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    struct loop_back *lb = ctx;
    (void)timestamp;
    assert_true(lb->n_out < ARRAY_LEN(lb->out));
    lb->out[lb->n_out++] = pkt;
}

static void on_piece(void *ctx, const struct pay_piece *piece)
{
    struct loop_back *lb = ctx;
    size_t n = piece->prefix_size + piece->size;
    assert_true(n <= lb->max_payload);
    uint8_t *p = xmalloc(n);
    memcpy(p, piece->prefix, piece->prefix_size);
    memcpy(p + piece->prefix_size, piece->data, piece->size);
    struct rtp rtp = {
        .marker = piece->marker, .timestamp = lb->timestamp, .payload = p, .payload_size = n};
    depay_input(lb->d, &rtp, 0);
    free(p);
    lb->n_pieces++;
    lb->n_markers += piece->marker;
}

static void put_nal(struct packet *pkt, const char *header, size_t n)
{
    struct bytes h = unhex(header);
    uint8_t *p = pkt->data + pkt->size;
    assert_true(pkt->size + 4 + h.n + n <= pkt->capacity);
    memset(p, 0, 4);
    p[1] = (uint8_t)((h.n + n) >> 16);
    p[2] = (uint8_t)((h.n + n) >> 8);
    p[3] = (uint8_t)(h.n + n);
    memcpy(p + 4, h.p, h.n);
    for (size_t i = 0; i < n; i++)
        p[4 + h.n + i] = (uint8_t)(1 + i % 255);
    pkt->size += 4 + h.n + n;
}

static void expect_round_trip(struct packet *const *in, size_t n, const struct sdp_media *media,
                              size_t max_payload)
{
    struct loop_back lb = {.max_payload = max_payload};
    assert_int_equal(depay_create(media, on_unit, &lb, &lb.d), 0);
    for (size_t i = 0; i < n; i++) {
        lb.timestamp = (uint32_t)i * 3600;
        lb.n_markers = 0;
        assert_int_equal(pay_packet(in[i], true, max_payload, on_piece, &lb), 0);
        assert_int_equal(lb.n_markers, media->codec == CODEC_PCMA ? 0 : 1);
    }
    depay_flush(lb.d);
    assert_int_equal(lb.n_out, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(lb.out[i]->size, in[i]->size);
        assert_memory_equal(lb.out[i]->data, in[i]->data, in[i]->size);
        assert_int_equal(lb.out[i]->is_key, in[i]->is_key);
        assert_true(format_eq(lb.out[i]->format, in[i]->format));
        assert_false(lb.out[i]->is_discontinuity);
        packet_unref(&lb.out[i]);
    }
    assert_int_equal(depay_stats(lb.d)->n_bad_payloads, 0);
    depay_destroy(&lb.d);
}

static void carries_video_through(void **state)
{
    (void)state;
    static const size_t payloads[] = {16, 100, 1400, 65000};
    static const size_t sizes[] = {1, 13, 14, 15, 96, 97, 98, 99, 1397, 1398, 1399, 5000, 70000};
    struct format *formats[] = {h264_format(SPS_1080, PPS_1080),
                                h265_format(VPS_D1, SPS_D1, PPS_D1)};
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < ARRAY_LEN(payloads) * ARRAY_LEN(sizes); i++) {
            size_t n = sizes[i % ARRAY_LEN(sizes)];
            struct packet *pkts[2];
            for (size_t k = 0; k < 2; k++) {
                pkts[k] = packet_create(3 * n + 100);
                pkts[k]->format = format_ref(formats[f]);
                pkts[k]->is_key = k == 0;
            }
            put_nal(pkts[0], f ? "4e0105aa" : "0605aa", n);
            put_nal(pkts[0], f ? "2601af" : "6588", n);
            put_nal(pkts[0], f ? "260120" : "6508", n);
            put_nal(pkts[1], f ? "0201d0" : "4188", n);
            struct sdp_media media = {.codec = formats[f]->codec};
            expect_round_trip(pkts, 2, &media, payloads[i / ARRAY_LEN(sizes)]);
            packet_unref(&pkts[0]);
            packet_unref(&pkts[1]);
        }
        format_unref(&formats[f]);
    }
}

static void carries_aac_through(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 12, 13, 300, 1396, 1397, 8191};
    struct sdp_media media = {.codec = CODEC_AAC, .clock_rate = 16000};
    format_create_audio(CODEC_AAC, 16000, 1, NULL, 0, &media.format);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct packet *pkt = packet_create(sizes[i]);
        memset(pkt->data, 0x21, sizes[i]);
        pkt->size = sizes[i];
        pkt->format = format_ref(media.format);
        expect_round_trip(&pkt, 1, &media, 16);
        expect_round_trip(&pkt, 1, &media, 1400);
        packet_unref(&pkt);
    }
    format_unref(&media.format);
}

static void carries_g711_through(void **state)
{
    (void)state;
    struct sdp_media media = {.codec = CODEC_PCMA, .clock_rate = 8000};
    format_create_audio(CODEC_PCMA, 8000, 1, NULL, 0, &media.format);
    struct packet *pkt = packet_create(160);
    memset(pkt->data, 0xd5, 160);
    pkt->size = 160;
    pkt->format = format_ref(media.format);
    expect_round_trip(&pkt, 1, &media, 1400);
    packet_unref(&pkt);
    format_unref(&media.format);
}

/* How many, and the size of each. */
static void note_size(void *ctx, const struct pay_piece *piece)
{
    size_t *sizes = ctx;
    sizes[++sizes[0]] = piece->size;
}

/* A packet holds whole moments: both bytes of a sample, both channels. */
static void cuts_16_bit_samples_between_moments(void **state)
{
    (void)state;
    struct packet *pkt = packet_create(160);
    memset(pkt->data, 0xd5, 160);
    pkt->size = 160;
    assert_int_equal(format_create_audio(CODEC_S16BE, 16000, 2, NULL, 0, &pkt->format), 0);
    size_t sizes[8] = {0};
    assert_int_equal(pay_packet(pkt, true, 63, note_size, sizes), 0);
    assert_int_equal(sizes[0], 3);
    assert_int_equal(sizes[1], 60);
    assert_int_equal(sizes[2], 60);
    assert_int_equal(sizes[3], 40);
    packet_unref(&pkt);
}

static void count_piece(void *ctx, const struct pay_piece *piece)
{
    (void)piece;
    (*(int *)ctx)++;
}

static void refuses_what_it_cannot_cut(void **state)
{
    (void)state;
    int n = 0;
    struct packet *pkt = packet_create(16);
    memcpy(pkt->data, "\0\0\0\x09\x65\x88", 6);
    pkt->size = 6;
    assert_int_equal(pay_packet(pkt, true, 1400, count_piece, &n), ERR_INVALID);
    pkt->format = h264_format(SPS_360, PPS_360);
    assert_int_equal(pay_packet(pkt, true, 1400, count_piece, &n), ERR_PARSE);
    pkt->size = 3;
    assert_int_equal(pay_packet(pkt, true, 1400, count_piece, &n), ERR_PARSE);
    assert_int_equal(pay_packet(pkt, true, 15, count_piece, &n), ERR_INVALID);
    assert_int_equal(n, 0);
    packet_unref(&pkt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_video_through),
        cmocka_unit_test(carries_aac_through),
        cmocka_unit_test(carries_g711_through),
        cmocka_unit_test(cuts_16_bit_samples_between_moments),
        cmocka_unit_test(refuses_what_it_cannot_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
