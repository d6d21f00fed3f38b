#include "unit.h"

#include "base/buf.h"
#include "base/err.h"
#include "media/pay.h"
#include "vcl.h"

#define FRAME_HEAD_BYTES 4
#define UNIT_MAX_BYTES   (16u << 20)

struct cutting {
    struct buf buf;
    struct unit *unit;
};

static void put_piece(void *ctx, const struct pay_piece *piece)
{
    struct cutting *c = ctx;
    size_t payload = piece->prefix_size + piece->size;
    buf_put_u8(&c->buf, '$');
    buf_put_u8(&c->buf, 0);
    buf_put_be16(&c->buf, (uint16_t)(RTP_HEADER_BYTES + payload));

    uint8_t header[RTP_HEADER_BYTES];
    rtp_print_header(&(struct rtp){.marker = piece->marker}, header);
    buf_append(&c->buf, header, sizeof header);
    buf_append(&c->buf, piece->prefix, piece->prefix_size);
    buf_append(&c->buf, piece->data, piece->size);
    c->unit->n_packets++;
    c->unit->n_payload_bytes += payload;
}

int unit_create(const struct packet *pkt, struct unit **out)
{
    struct unit *u = xcalloc(1, sizeof *u);
    u->dts = pkt->dts;
    u->pts = pkt->pts;
    u->channel = -1;
    u->is_key = pkt->is_key || !pkt->is_video;
    if (pkt->is_video)
        u->identity = vcl_hash(pkt->format->codec, pkt->data, pkt->size);

    struct cutting c = {.unit = u};
    buf_init(&c.buf, UNIT_MAX_BYTES);
    int rc = pay_packet(pkt, true, UNIT_RTP_PAYLOAD_BYTES, put_piece, &c);
    if (rc >= 0 && (c.buf.is_failed || c.buf.len == 0))
        rc = ERR_TOO_BIG;
    if (rc < 0) {
        buf_fini(&c.buf);
        unit_destroy(&u);
        return rc;
    }
    u->bytes = buf_steal(&c.buf, &u->size);
    *out = u;
    return 0;
}

void unit_destroy(struct unit **u)
{
    if (!*u)
        return;
    free((*u)->bytes);
    FREE(u);
}

bool unit_next(const struct unit *u, size_t *at, uint8_t **out_frame, size_t *out_size)
{
    if (*at >= u->size)
        return false;
    *out_frame = u->bytes + *at;
    *out_size = FRAME_HEAD_BYTES + get_be16(*out_frame + 2);
    *at += *out_size;
    return true;
}

static void set_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void unit_patch(struct unit *u, const struct unit_stamp *s)
{
    uint16_t seq = s->seq;
    size_t at = 0;
    size_t size;
    uint8_t *frame;
    while (unit_next(u, &at, &frame, &size)) {
        uint8_t *rtp = frame + FRAME_HEAD_BYTES;
        rtp[1] = (uint8_t)((rtp[1] & 0x80) | s->payload_type);
        rtp[2] = (uint8_t)(seq >> 8);
        rtp[3] = (uint8_t)seq;
        set_be32(rtp + 4, s->timestamp);
        set_be32(rtp + 8, s->ssrc);
        seq++;
    }
}

void unit_set_channel(struct unit *u, int channel)
{
    if (u->channel == channel)
        return;
    u->channel = channel;
    size_t at = 0;
    size_t size;
    uint8_t *frame;
    while (unit_next(u, &at, &frame, &size))
        frame[1] = (uint8_t)channel;
}
