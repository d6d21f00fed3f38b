/* RTP payloads in, a line of text per access unit out: shared by the depacketizer tests. */
#ifndef TESTS_DEPAY_RIG_H
#define TESTS_DEPAY_RIG_H

#include "media_rig.h"

#include "base/buf.h"
#include "media/depay.h"

struct depay_rig {
    struct depay *d;
    struct buf text;
    struct format *format; /* of the newest unit */
    int n_units;
};

/* "1000k!=6588+01 ": timestamp, k = key, ! = discontinuity, NAL units; audio: the bytes. */
static inline void rig_unit(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    struct depay_rig *rig = ctx;
    buf_printf(&rig->text, "%u%s%s=", timestamp, pkt->is_key ? "k" : "",
               pkt->is_discontinuity ? "!" : "");
    for (size_t at = 0; at < pkt->size;) {
        size_t n = pkt->size;
        if (pkt->is_video) {
            assert_true(pkt->size - at >= 4);
            n = get_be32(pkt->data + at);
            buf_puts(&rig->text, at > 0 ? "+" : "");
            at += 4;
            assert_true(n <= pkt->size - at);
        }
        for (size_t i = 0; i < n; i++)
            buf_printf(&rig->text, "%02x", pkt->data[at + i]);
        at += n;
    }
    buf_puts(&rig->text, " ");
    format_unref(&rig->format);
    if (pkt->format)
        rig->format = format_ref(pkt->format);
    rig->n_units++;
    packet_unref(&pkt);
}

static inline void rig_open(struct depay_rig *rig, const struct sdp_media *media)
{
    *rig = (struct depay_rig){.n_units = 0};
    assert_int_equal(depay_create(media, rig_unit, rig, &rig->d), 0);
}

static inline void rig_feed(struct depay_rig *rig, uint32_t timestamp, bool marker, uint32_t lost,
                            const char *hex)
{
    struct bytes b = unhex(hex);
    /* An exact copy on the heap, so that a sanitizer sees every read past the end. */
    uint8_t *copy = xmalloc(b.n ? b.n : 1);
    memcpy(copy, b.p, b.n);
    struct rtp rtp = {
        .marker = marker, .timestamp = timestamp, .payload = copy, .payload_size = b.n};
    depay_input(rig->d, &rtp, lost);
    free(copy);
}

/* What came out since the last call must be `want`. */
static inline void rig_expect(struct depay_rig *rig, const char *want)
{
    assert_string_equal(buf_cstr(&rig->text), want);
    buf_clear(&rig->text);
}

static inline void rig_close(struct depay_rig *rig)
{
    depay_destroy(&rig->d);
    format_unref(&rig->format);
    buf_fini(&rig->text);
}

struct depay_step {
    uint32_t timestamp;
    char flags[8]; /* M = marker, a digit = packets lost before, F = flush after */
    const char *hex;
};

struct depay_case {
    const char *name;
    struct depay_step steps[14];
    const char *want;
    uint64_t n_damaged, n_bad;
};

static inline void rig_run(const struct depay_case *c, const struct sdp_media *media)
{
    struct depay_rig rig;
    rig_open(&rig, media);
    for (const struct depay_step *s = c->steps; s->hex; s++) {
        uint32_t lost = 0;
        for (const char *f = s->flags; *f; f++)
            lost = *f >= '0' && *f <= '9' ? (uint32_t)(*f - '0') : lost;
        rig_feed(&rig, s->timestamp, strchr(s->flags, 'M') != NULL, lost, s->hex);
        if (strchr(s->flags, 'F'))
            depay_flush(rig.d);
    }
    depay_flush(rig.d);
    if (strcmp(buf_cstr(&rig.text), c->want) != 0)
        print_error("case: %s\n", c->name);
    assert_string_equal(buf_cstr(&rig.text), c->want);
    if (depay_stats(rig.d)->n_damaged != c->n_damaged ||
        depay_stats(rig.d)->n_bad_payloads != c->n_bad)
        print_error("case: %s\n", c->name);
    assert_int_equal(depay_stats(rig.d)->n_damaged, c->n_damaged);
    assert_int_equal(depay_stats(rig.d)->n_bad_payloads, c->n_bad);
    rig_close(&rig);
}

#endif
