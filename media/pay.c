#include "media/pay.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "media/jpeg.h"
#include "media/nal.h"

enum {
    MIN_PAYLOAD = 16,
    H264_FU_A = 28,
    H265_FU = 49,
    JPEG_SIDE_MAX = 2040, /* larger sides, or such between multiples of 8, are in the description */
    JPEG_RESTART = 64,
    JPEG_Q_DYNAMIC = 255,
};

struct payer {
    pay_fn *fn;
    void *ctx;
    size_t max_payload;
    enum codec codec;
};

static void emit(const struct payer *p, const uint8_t *data, size_t n, bool marker)
{
    struct pay_piece piece = {.data = data, .size = n, .marker = marker};
    p->fn(p->ctx, &piece);
}

/* The fragment's prefix stands for the NAL header, which is left out. Returns its size. */
static size_t fragment_prefix(enum codec codec, const uint8_t *nal, bool is_first, bool is_last,
                              uint8_t *prefix)
{
    uint8_t flags = (uint8_t)((is_first ? 0x80 : 0) | (is_last ? 0x40 : 0));
    if (codec == CODEC_H264) {
        prefix[0] = (uint8_t)((nal[0] & 0xe0) | H264_FU_A);
        prefix[1] = (uint8_t)(flags | (nal[0] & 0x1f));
        return 2;
    }
    prefix[0] = (uint8_t)((nal[0] & 0x81) | H265_FU << 1);
    prefix[1] = nal[1];
    prefix[2] = (uint8_t)(flags | ((nal[0] >> 1) & 0x3f));
    return 3;
}

static void pay_nal(const struct payer *p, const uint8_t *nal, size_t n, bool is_last_nal)
{
    size_t header_size = p->codec == CODEC_H264 ? 1 : 2;
    if (n <= header_size)
        return;
    if (n <= p->max_payload) {
        emit(p, nal, n, is_last_nal);
        return;
    }
    size_t at = header_size;
    while (at < n) {
        struct pay_piece piece = {.data = nal + at};
        size_t room = p->max_payload - header_size - 1;
        piece.size = MIN(room, n - at);
        bool is_last = at + piece.size == n;
        piece.prefix_size =
            fragment_prefix(p->codec, nal, at == header_size, is_last, piece.prefix);
        piece.marker = is_last && is_last_nal;
        p->fn(p->ctx, &piece);
        at += piece.size;
    }
}

static int pay_video(const struct payer *p, const struct packet *pkt, bool with_sets)
{
    struct nal_span sets[NAL_SETS_MAX];
    size_t n_sets = pkt->is_key && with_sets && pkt->format
                        ? format_sets(pkt->format, sets, ARRAY_LEN(sets))
                        : 0;
    for (size_t i = 0; i < n_sets; i++)
        pay_nal(p, sets[i].p, sets[i].n, false);
    size_t at = 0;
    while (at < pkt->size) {
        if (pkt->size - at < 4 || get_be32(pkt->data + at) > pkt->size - at - 4)
            return ERR_PARSE;
        size_t n = get_be32(pkt->data + at);
        at += 4 + n;
        pay_nal(p, pkt->data + at - n, n, at == pkt->size);
    }
    return 0;
}

static uint8_t jpeg_side(int points)
{
    return (uint8_t)(points % 8 == 0 && points <= JPEG_SIDE_MAX ? points / 8 : 0);
}

/* RFC 2435 3.1: the main header, that of restart markers, and in front the tables. */
static size_t jpeg_prefix(const struct jpeg *j, size_t at, uint8_t *prefix)
{
    uint8_t *w = prefix;
    bool has_size = jpeg_side(j->width) > 0 && jpeg_side(j->height) > 0;
    *w++ = 0;
    *w++ = (uint8_t)(at >> 16);
    *w++ = (uint8_t)(at >> 8);
    *w++ = (uint8_t)at;
    *w++ = (uint8_t)((j->sampling == 0x22 ? 1 : 0) | (j->restart_interval ? JPEG_RESTART : 0));
    *w++ = JPEG_Q_DYNAMIC;
    *w++ = has_size ? jpeg_side(j->width) : 0;
    *w++ = has_size ? jpeg_side(j->height) : 0;
    if (j->restart_interval > 0) {
        *w++ = (uint8_t)(j->restart_interval >> 8);
        *w++ = (uint8_t)j->restart_interval;
        *w++ = 0xff; /* pieces are not cut at restart markers */
        *w++ = 0xff;
    }
    if (at > 0)
        return (size_t)(w - prefix);
    size_t sizes[2] = {jpeg_table_bytes(&j->tables[0]), jpeg_table_bytes(&j->tables[1])};
    *w++ = 0;
    *w++ = (uint8_t)(j->tables[0].is_wide | j->tables[1].is_wide << 1);
    *w++ = (uint8_t)((sizes[0] + sizes[1]) >> 8);
    *w++ = (uint8_t)(sizes[0] + sizes[1]);
    for (size_t i = 0; i < 2; i++) {
        memcpy(w, j->tables[i].p, sizes[i]);
        w += sizes[i];
    }
    return (size_t)(w - prefix);
}

static int pay_jpeg(const struct payer *p, const struct packet *pkt)
{
    struct jpeg j;
    struct pay_piece piece;
    if (jpeg_read(pkt->data, pkt->size, &j) < 0)
        return ERR_PARSE;
    if (!j.is_baseline || !j.has_standard_codes || !j.has_plain_chroma || j.n_components != 3 ||
        (j.sampling != 0x21 && j.sampling != 0x22) || !j.tables[0].p || !j.tables[1].p)
        return ERR_UNSUPPORTED;
    size_t n = j.scan_end - j.scan_at, at = 0;
    do {
        piece.prefix_size = jpeg_prefix(&j, at, piece.prefix);
        if (piece.prefix_size >= p->max_payload)
            return ERR_INVALID;
        piece.data = pkt->data + j.scan_at + at;
        piece.size = MIN(p->max_payload - piece.prefix_size, n - at);
        at += piece.size;
        piece.marker = at == n;
        p->fn(p->ctx, &piece);
    } while (at < n);
    return 0;
}

/* RFC 3640 AAC-hbr: every piece carries the size of the whole frame. */
static int pay_aac(const struct payer *p, const struct packet *pkt)
{
    if (pkt->size > 0x1fff)
        return ERR_TOO_BIG;
    size_t at = 0;
    do {
        struct pay_piece piece = {.prefix_size = 4, .data = pkt->data + at};
        piece.prefix[1] = 16;
        piece.prefix[2] = (uint8_t)(pkt->size >> 5);
        piece.prefix[3] = (uint8_t)(pkt->size << 3);
        piece.size = MIN(p->max_payload - 4, pkt->size - at);
        at += piece.size;
        piece.marker = at == pkt->size;
        p->fn(p->ctx, &piece);
    } while (at < pkt->size);
    return 0;
}

static int pay_plain(const struct payer *p, const struct packet *pkt)
{
    size_t moment = format_moment_bytes(pkt->format);
    if (moment > p->max_payload)
        return ERR_INVALID;
    size_t most = p->max_payload - p->max_payload % moment;
    for (size_t at = 0; at < pkt->size; at += most)
        emit(p, pkt->data + at, MIN(most, pkt->size - at), false);
    return 0;
}

int pay_packet(const struct packet *pkt, bool with_sets, size_t max_payload, pay_fn *fn, void *ctx)
{
    if (!pkt->format || max_payload < MIN_PAYLOAD)
        return ERR_INVALID;
    struct payer p = {fn, ctx, max_payload, pkt->format->codec};
    switch (p.codec) {
    case CODEC_H264:
    case CODEC_H265:
        return pay_video(&p, pkt, with_sets);
    case CODEC_JPEG:
        return pay_jpeg(&p, pkt);
    case CODEC_AAC:
        return pay_aac(&p, pkt);
    case CODEC_PCMA:
    case CODEC_PCMU:
    case CODEC_S16BE:
    case CODEC_S16LE:
        return pay_plain(&p, pkt);
    case CODEC_NONE:
        break;
    }
    return ERR_UNSUPPORTED;
}
