/* RTP payloads of audio: AAC (RFC 3640, with quirk M1), G.711 and 16-bit samples (RFC 3551, with
 * quirk M2). */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "media/aac.h"
#include "media/bits.h"
#include "media/depay_priv.h"

#define FRAME_SAMPLES 1024

static void emit_copy(struct depay *d, const uint8_t *p, size_t n, uint32_t timestamp)
{
    struct packet *pkt = packet_create(n);
    if (!pkt)
        return;
    memcpy(pkt->data, p, n);
    pkt->size = n;
    depay__emit(d, pkt, d->format, timestamp);
}

void depay__plain_input(struct depay *d, const struct rtp *rtp)
{
    if (rtp->payload_size > 0)
        emit_copy(d, rtp->payload, rtp->payload_size, rtp->timestamp);
}

/* --- 16-bit samples --- */

static void take_byte_order(struct depay *d)
{
    enum codec codec = d->order.found == BYTE_ORDER_BIG ? CODEC_S16BE : CODEC_S16LE;
    struct format *f;
    d->stats.byte_order = d->order.found;
    if (d->format->codec == codec ||
        format_create_audio(codec, d->format->sample_rate, d->format->channels, NULL, 0, &f) < 0)
        return;
    d->stats.n_format_changes++;
    format_unref(&d->format);
    d->format = f;
}

/* In the wrong order it is loud noise: nothing is handed out before the order is known, but the
 * label is believed after a second in which nothing could be told from it. */
void depay__s16_input(struct depay *d, const struct rtp *rtp)
{
    if (!d->format)
        return;
    size_t moment = format_moment_bytes(d->format);
    size_t n = rtp->payload_size - rtp->payload_size % moment;
    d->stats.n_bad_payloads += n != rtp->payload_size;
    if (d->order.found == BYTE_ORDER_UNKNOWN) {
        byte_order_hear(&d->order, rtp->payload, n, d->format->channels);
        if (d->order.found != BYTE_ORDER_UNKNOWN)
            take_byte_order(d);
        else if (d->n_unheard < (size_t)d->format->sample_rate) {
            d->n_unheard += n / moment;
            return;
        }
    }
    if (n > 0)
        emit_copy(d, rtp->payload, n, rtp->timestamp);
}

/* --- AAC --- */

static void take_adts_config(struct depay *d, const struct aac_config *c)
{
    struct format *f;
    int channels = c->channels ? c->channels : d->format ? d->format->channels : 1;
    if (d->format && d->format->sample_rate == c->sample_rate && d->format->channels == channels)
        return;
    if (format_create_audio(CODEC_AAC, c->sample_rate, channels, NULL, 0, &f) < 0)
        return;
    d->stats.n_format_changes += d->format != NULL;
    format_unref(&d->format);
    d->format = f;
}

/* RTP ticks of one frame; the clock of the description may not be the sample rate. */
static uint32_t frame_ticks(const struct depay *d)
{
    if (d->is_config_clock || !d->format || d->format->sample_rate <= 0 || d->clock_rate == 0)
        return FRAME_SAMPLES;
    return (uint32_t)((uint64_t)FRAME_SAMPLES * d->clock_rate / (uint32_t)d->format->sample_rate);
}

/* One access unit, or several ADTS frames in its place. Returns how many frames. */
static uint32_t take_unit(struct depay *d, const uint8_t *p, size_t n, uint32_t timestamp)
{
    struct aac_adts adts;
    uint32_t n_frames = 0;
    if (n == 0)
        return 0;
    if (aac_read_adts(p, n, &adts) < 0) {
        emit_copy(d, p, n, timestamp);
        return 1;
    }
    while (n > 0 && aac_read_adts(p, n, &adts) >= 0) {
        take_adts_config(d, &adts.config);
        emit_copy(d, p + adts.header_size, adts.frame_size - adts.header_size,
                  timestamp + n_frames * frame_ticks(d));
        p += adts.frame_size;
        n -= adts.frame_size;
        n_frames++;
    }
    return n_frames;
}

static void drop_partial(struct depay *d)
{
    if (!d->partial)
        return;
    packet_unref(&d->partial);
    d->stats.n_damaged++;
    d->is_discontinuity = true;
}

/* A piece of a unit that does not fit in one packet; each piece tells the size of the whole. */
static void take_piece(struct depay *d, const struct rtp *rtp, const uint8_t *p, size_t n,
                       size_t need)
{
    if (d->partial && (d->partial_timestamp != rtp->timestamp || d->partial_need != need))
        drop_partial(d);
    if (!d->partial) {
        if (rtp->marker) {
            /* No piece at all, but a size that is wrong. */
            take_unit(d, p, n, rtp->timestamp);
            return;
        }
        d->partial = packet_create(need);
        d->partial_need = need;
        d->partial_timestamp = rtp->timestamp;
    }
    if (!d->partial)
        return;
    n = MIN(n, need - d->partial->size);
    memcpy(d->partial->data + d->partial->size, p, n);
    d->partial->size += n;
    if (d->partial->size == need) {
        take_unit(d, d->partial->data, need, rtp->timestamp);
        packet_unref(&d->partial);
    }
}

/* The AU header section: its length in bits, then a size and an index per unit. Some cameras give
 * the length in bytes. */
static void take_units(struct depay *d, const struct rtp *rtp)
{
    const uint8_t *p = rtp->payload;
    size_t n = rtp->payload_size;
    unsigned first_bits = (unsigned)(d->size_length + d->index_length);
    unsigned other_bits = (unsigned)(d->size_length + d->index_delta_length);
    size_t n_bits = get_be16(p);
    if (n_bits > 0 && n_bits < first_bits)
        n_bits *= 8;
    size_t header_size = 2 + (n_bits + 7) / 8;
    if (n_bits < first_bits || header_size > n) {
        d->stats.n_bad_payloads++;
        return;
    }
    size_t n_units = 1 + (n_bits - first_bits) / other_bits;
    struct bits b;
    bits_init_plain(&b, p + 2, header_size - 2);
    p += header_size;
    n -= header_size;
    uint32_t timestamp = rtp->timestamp;
    for (size_t i = 0; i < n_units; i++) {
        size_t size = bits_u(&b, (unsigned)d->size_length);
        bits_skip(&b, (unsigned)(i == 0 ? d->index_length : d->index_delta_length));
        if (size > n) {
            if (n_units == 1 && n > 0)
                take_piece(d, rtp, p, n, size);
            else
                d->stats.n_bad_payloads++;
            return;
        }
        timestamp += take_unit(d, p, size, timestamp) * frame_ticks(d);
        p += size;
        n -= size;
    }
}

/* The description may state another rate than the configuration, and be wrong (quirk T8): packets
 * that come as far apart as the configuration says prove it. */
static void check_clock(struct depay *d, uint32_t timestamp, uint32_t lost)
{
    uint32_t step = timestamp - d->aac_timestamp;
    d->aac_timestamp = timestamp;
    if (lost > 0 || d->n_aac_frames == 0)
        return;
    if (step == d->n_aac_frames * FRAME_SAMPLES)
        d->is_config_clock = true;
}

void depay__aac_input(struct depay *d, const struct rtp *rtp, uint32_t lost)
{
    struct aac_adts adts;
    uint64_t n_before = d->stats.n_units;
    if (lost > 0)
        drop_partial(d);
    check_clock(d, rtp->timestamp, lost);
    if (rtp->payload_size < 2)
        d->stats.n_bad_payloads++;
    else if (aac_read_adts(rtp->payload, rtp->payload_size, &adts) >= 0)
        take_unit(d, rtp->payload, rtp->payload_size, rtp->timestamp);
    else
        take_units(d, rtp);
    d->n_aac_frames = (uint32_t)(d->stats.n_units - n_before);
}
