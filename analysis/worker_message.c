#include "analysis/worker_message.h"

#include "base/err.h"

#define REQUEST_MAGIC UINT32_C(0x726b5131) /* "rkQ1" */
#define REPLY_MAGIC   UINT32_C(0x726b4131) /* "rkA1" */

/* How a codec is called in a request. */
static const struct {
    uint32_t number;
    enum codec codec;
} codecs[] = {{264, CODEC_H264}, {265, CODEC_H265}, {2435, CODEC_JPEG}};

static uint32_t number_of(enum codec codec)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
        if (codecs[i].codec == codec)
            return codecs[i].number;
    return 0;
}

static enum codec codec_of(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
        if (codecs[i].number == number)
            return codecs[i].codec;
    return CODEC_NONE;
}

static void set_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void worker_request_print(const struct worker_request *r, uint8_t dst[WORKER_REQUEST_BYTES])
{
    set_be32(dst, REQUEST_MAGIC);
    set_be32(dst + 4, (uint32_t)r->kind);
    set_be32(dst + 8, number_of(r->codec));
    set_be32(dst + 12, r->id);
    set_be32(dst + 16, r->width);
    set_be32(dst + 20, r->config_size);
    set_be32(dst + 24, r->payload_size);
}

int worker_request_parse(const uint8_t src[WORKER_REQUEST_BYTES], struct worker_request *out)
{
    uint32_t kind = get_be32(src + 4);
    enum codec codec = codec_of(get_be32(src + 8));
    if (get_be32(src) != REQUEST_MAGIC || codec == CODEC_NONE ||
        (kind != WORKER_PICTURE && kind != WORKER_GRID))
        return ERR_PARSE;
    *out = (struct worker_request){
        .kind = (enum worker_kind)kind,
        .codec = codec,
        .id = get_be32(src + 12),
        .width = get_be32(src + 16),
        .config_size = get_be32(src + 20),
        .payload_size = get_be32(src + 24),
    };
    if (out->width > 16384 || out->config_size > FORMAT_CONFIG_MAX_BYTES ||
        out->payload_size > PACKET_MAX_BYTES)
        return ERR_PARSE;
    return 0;
}

void worker_reply_print(const struct worker_reply *r, uint8_t dst[WORKER_REPLY_BYTES])
{
    set_be32(dst, REPLY_MAGIC);
    set_be32(dst + 4, ((uint32_t)r->kind << 8) | r->is_ok);
    set_be32(dst + 8, r->id);
    set_be32(dst + 12, r->size);
}

int worker_reply_parse(const uint8_t src[WORKER_REPLY_BYTES], struct worker_reply *out)
{
    uint32_t kind = get_be32(src + 4) >> 8, is_ok = get_be32(src + 4) & 0xff;
    if (get_be32(src) != REPLY_MAGIC || (kind != WORKER_PICTURE && kind != WORKER_GRID) ||
        is_ok > 1)
        return ERR_PARSE;
    *out = (struct worker_reply){
        .kind = (enum worker_kind)kind,
        .id = get_be32(src + 8),
        .is_ok = is_ok,
        .size = get_be32(src + 12),
    };
    if (out->size > WORKER_REPLY_MAX_BYTES || (!out->is_ok && out->size != 0))
        return ERR_PARSE;
    return 0;
}

void worker_grid_print(const struct luma_grid *grid, struct buf *out)
{
    size_t n = (size_t)grid->cols * grid->rows;
    buf_put_be16(out, grid->cols);
    buf_put_be16(out, grid->rows);
    for (size_t i = 0; i < n && i < GRID_MAX_BLOCKS; i++)
        buf_put_be16(out, grid->mean[i]);
}

int worker_grid_parse(const uint8_t *p, size_t n, struct luma_grid *out)
{
    if (n < 4)
        return ERR_PARSE;
    out->cols = get_be16(p);
    out->rows = get_be16(p + 2);
    size_t n_blocks = (size_t)out->cols * out->rows;
    if (n_blocks == 0 || n_blocks > GRID_MAX_BLOCKS || n != 4 + 2 * n_blocks)
        return ERR_PARSE;
    for (size_t i = 0; i < n_blocks; i++)
        out->mean[i] = get_be16(p + 4 + 2 * i);
    return 0;
}
