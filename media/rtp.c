#include "media/rtp.h"

#include "base/buf.h"
#include "base/err.h"

enum {
    SEQ_MAX_FORWARD = 3000, /* a longer step is a restart, not loss (RFC 3550 A.1, quirk R5) */
    SEQ_MAX_BACK = 100,
    SEQ_MAX_REPEAT = 32,
    RTCP_SR = 200,
    RTCP_RR = 201,
    RTCP_BYE = 203,
};

int rtp_parse(const uint8_t *p, size_t n, struct rtp *out)
{
    if (n < RTP_HEADER_BYTES || (p[0] & 0xc0) != 0x80)
        return ERR_PARSE;
    size_t at = RTP_HEADER_BYTES + 4 * (size_t)(p[0] & 0x0f);
    out->extension_size = 0;
    if (p[0] & 0x10) {
        if (n < at + 4)
            return ERR_PARSE;
        out->extension_profile = get_be16(p + at);
        out->extension = p + at + 4;
        out->extension_size = 4 * (size_t)get_be16(p + at + 2);
        at += 4 + out->extension_size;
    }
    if (n < at)
        return ERR_PARSE;
    if (p[0] & 0x20) {
        size_t padding = p[n - 1];
        if (padding == 0 || padding > n - at)
            return ERR_PARSE;
        n -= padding;
    }
    out->payload_type = p[1] & 0x7f;
    out->marker = p[1] & 0x80;
    out->seq = get_be16(p + 2);
    out->timestamp = get_be32(p + 4);
    out->ssrc = get_be32(p + 8);
    out->payload = p + at;
    out->payload_size = n - at;
    return 0;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void rtp_print_header(const struct rtp *r, uint8_t dst[RTP_HEADER_BYTES])
{
    dst[0] = 0x80;
    dst[1] = (uint8_t)((r->marker ? 0x80 : 0) | (r->payload_type & 0x7f));
    dst[2] = (uint8_t)(r->seq >> 8);
    dst[3] = (uint8_t)r->seq;
    put_be32(dst + 4, r->timestamp);
    put_be32(dst + 8, r->ssrc);
}

bool rtp_is_rtcp(const uint8_t *p, size_t n)
{
    return n >= 8 && p[1] >= 192 && p[1] <= 223;
}

static void advance(struct rtp_seq *s, uint16_t seq, uint32_t timestamp)
{
    s->expected = (uint16_t)(seq + 1);
    s->timestamp = timestamp;
    s->has_late = false;
    s->n_repeated = 0;
    s->n_received++;
}

static enum rtp_order restart(struct rtp_seq *s, uint16_t seq, uint32_t timestamp)
{
    advance(s, seq, timestamp);
    return RTP_RESTART;
}

/* Sent twice, as by a camera whose write was cut short (quirk I1): a little behind in number and
 * time. A count that starts anew goes on in time. */
static bool is_repetition(struct rtp_seq *s, uint32_t timestamp, int step)
{
    if (step < -SEQ_MAX_REPEAT || (int32_t)(timestamp - s->timestamp) > 0)
        return false;
    return ++s->n_repeated <= SEQ_MAX_REPEAT;
}

/* Behind what is expected: late, or the first of a restarted count, which the next one proves. */
static enum rtp_order step_back(struct rtp_seq *s, uint16_t seq, uint32_t timestamp, int step)
{
    if (is_repetition(s, timestamp, step)) {
        s->n_late++;
        return RTP_LATE;
    }
    bool is_proven = s->has_late && seq == s->late_next;
    if (step < -SEQ_MAX_BACK || s->is_reliable || is_proven)
        return restart(s, seq, timestamp);
    s->has_late = true;
    s->late_next = (uint16_t)(seq + 1);
    s->n_late++;
    return RTP_LATE;
}

enum rtp_order rtp_seq_next(struct rtp_seq *s, uint16_t seq, uint32_t timestamp, uint32_t *out_lost)
{
    *out_lost = 0;
    bool is_first = !s->is_started;
    if (is_first) {
        s->is_started = true;
        s->expected = seq;
    }
    int step = (int16_t)(uint16_t)(seq - s->expected);
    if (step < 0)
        return step_back(s, seq, timestamp, step);
    if (step > SEQ_MAX_FORWARD)
        return restart(s, seq, timestamp);
    if (!is_first && seq < (uint16_t)(s->expected - 1))
        s->cycles++;
    advance(s, seq, timestamp);
    if (step == 0)
        return RTP_IN_ORDER;
    s->n_lost += (uint64_t)step;
    *out_lost = (uint32_t)step;
    return RTP_AFTER_LOSS;
}

int rtcp_parse(const uint8_t *p, size_t n, struct rtcp_summary *out)
{
    bool is_readable = false;
    *out = (struct rtcp_summary){0};
    while (n >= 4 && (p[0] & 0xc0) == 0x80) {
        size_t size = 4 + 4 * (size_t)get_be16(p + 2);
        /* A wrong length field spoils what follows, not a sender report that is there (quirk T6).
         */
        if (p[1] == RTCP_SR && n >= 28) {
            out->has_sender_report = true;
            out->sr.ssrc = get_be32(p + 4);
            out->sr.ntp = get_be64(p + 8);
            out->sr.timestamp = get_be32(p + 16);
        }
        if (p[1] == RTCP_BYE)
            out->has_bye = true;
        is_readable = true;
        if (size > n)
            break;
        p += size;
        n -= size;
    }
    return is_readable ? 0 : ERR_PARSE;
}

size_t rtcp_print_receiver_report(const struct rtcp_report *r, uint8_t *dst, size_t cap)
{
    if (cap < 32)
        return 0;
    uint32_t n_lost = r->n_lost > 0x7fffff ? 0x7fffff : (uint32_t)r->n_lost;
    put_be32(dst, 0x81000000u | ((uint32_t)RTCP_RR << 16) | 7);
    put_be32(dst + 4, r->own_ssrc);
    put_be32(dst + 8, r->ssrc);
    put_be32(dst + 12, n_lost);
    put_be32(dst + 16, r->highest_seq);
    put_be32(dst + 20, 0); /* jitter: nobody acts on it */
    put_be32(dst + 24, r->last_sr);
    put_be32(dst + 28, r->delay_since_sr);
    return 32;
}

size_t rtcp_print_sender_report(const struct rtcp_sender_report *sr, uint32_t n_packets,
                                uint32_t n_bytes, uint8_t *dst, size_t cap)
{
    if (cap < 28)
        return 0;
    put_be32(dst, 0x80000000u | ((uint32_t)RTCP_SR << 16) | 6);
    put_be32(dst + 4, sr->ssrc);
    put_be32(dst + 8, (uint32_t)(sr->ntp >> 32));
    put_be32(dst + 12, (uint32_t)sr->ntp);
    put_be32(dst + 16, sr->timestamp);
    put_be32(dst + 20, n_packets);
    put_be32(dst + 24, n_bytes);
    return 28;
}
