/* RTP payloads of JPEG (RFC 2435): the scan of a picture in fragments, most of its head as numbers.
 * What comes out is a whole JPEG image, so that no reader needs more than the packet.
 *
 * A picture ends with its marker, or where the next one begins and nothing was lost. One with a
 * hole is dropped and counted. Pictures of more than 2040 points have no size in the payload: then
 * it is that of a header extension (ONVIF streaming 5.1.3), or of the description, or the camera
 * sends whole images and it stands in them. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "media/depay_priv.h"
#include "media/jpeg.h"

enum {
    HEADER_BYTES = 8,
    RESTART_BYTES = 4,
    TABLES_HEADER_BYTES = 4,
    Q_IN_BAND = 128,
    Q_DYNAMIC = 255,        /* its tables hold for one picture only */
    EXTENSION_SOI = 0xffd8, /* profile of the extension with marker segments */
    TYPE_RESTART = 64,
    TYPE_DYNAMIC = 128,
    MIN_CAPACITY = 8192,
};

struct tables {
    uint8_t bytes[2][2 * JPEG_TABLE_VALUES];
    struct jpeg_table tables[2]; /* into bytes */
};

struct depay_jpeg {
    int width, height; /* of the description; 0 = not said */
    struct tables *kept[Q_DYNAMIC - Q_IN_BAND];

    /* the picture that is being put together; au NULL = none */
    struct packet *au;
    size_t scan_at; /* where its scan begins in au; 0 = the camera sends whole images */
    int au_width, au_height;
    uint32_t timestamp;
    size_t guess; /* bytes of the next one */

    /* of the picture that was given up last: what follows of it is no further damage */
    bool is_skipping;
    uint32_t skipped_timestamp;
};

/* The main header, and that of restart markers. */
struct header {
    size_t offset;
    unsigned type, q;
    int width, height;
    uint8_t sampling; /* of luma; 0 = not known */
    uint16_t restart_interval;
};

void depay__jpeg_init(struct depay *d)
{
    d->jpeg = xcalloc(1, sizeof *d->jpeg);
    d->jpeg->guess = MIN_CAPACITY;
    if (d->format) {
        d->jpeg->width = d->format->width;
        d->jpeg->height = d->format->height;
    }
}

void depay__jpeg_fini(struct depay *d)
{
    if (!d->jpeg)
        return;
    for (size_t i = 0; i < ARRAY_LEN(d->jpeg->kept); i++)
        free(d->jpeg->kept[i]);
    packet_unref(&d->jpeg->au);
    FREE(&d->jpeg);
}

/* --- pictures --- */

/* Nothing more of this picture is wanted. */
static void skip(struct depay *d, uint32_t timestamp)
{
    struct depay_jpeg *j = d->jpeg;
    packet_unref(&j->au);
    j->is_skipping = true;
    j->skipped_timestamp = timestamp;
    d->is_discontinuity = true;
}

static void damaged(struct depay *d, uint32_t timestamp)
{
    d->stats.n_damaged++;
    skip(d, timestamp);
}

static void take_size(struct depay *d, int width, int height)
{
    if (d->format && d->format->width == width && d->format->height == height)
        return;
    d->stats.n_format_changes += d->format != NULL;
    format_unref(&d->format);
    d->format = format_create_jpeg(width, height);
}

/* The size of a picture, and whether it is one at all. */
static bool finish_image(struct depay_jpeg *j)
{
    struct jpeg image;
    if (j->scan_at > 0)
        return j->au->size > j->scan_at;
    if (jpeg_read(j->au->data, j->au->size, &image) < 0)
        return false;
    j->au_width = image.width;
    j->au_height = image.height;
    return true;
}

static void end_picture(struct depay *d)
{
    static const uint8_t eoi[2] = {0xff, 0xd9};
    struct depay_jpeg *j = d->jpeg;
    if (!finish_image(j) || !packet_reserve(&j->au, sizeof eoi)) {
        damaged(d, j->timestamp);
        return;
    }
    if (memcmp(j->au->data + j->au->size - sizeof eoi, eoi, sizeof eoi) != 0) {
        memcpy(j->au->data + j->au->size, eoi, sizeof eoi);
        j->au->size += sizeof eoi;
    }
    take_size(d, j->au_width, j->au_height);
    struct packet *au = j->au;
    j->au = NULL;
    j->guess = au->size + au->size / 8;
    packet_trim(&au);
    au->is_key = true;
    depay__emit(d, au, d->format, j->timestamp);
}

static bool append(struct depay *d, const uint8_t *p, size_t n)
{
    struct depay_jpeg *j = d->jpeg;
    if (!packet_reserve(&j->au, n)) {
        d->stats.n_oversize++;
        skip(d, j->timestamp);
        return false;
    }
    memcpy(j->au->data + j->au->size, p, n);
    j->au->size += n;
    return true;
}

/* --- headers --- */

static bool read_header(const struct rtp *rtp, struct header *out, struct nal_span *rest)
{
    const uint8_t *p = rtp->payload;
    size_t n = rtp->payload_size;
    if (n < HEADER_BYTES)
        return false;
    *out = (struct header){
        .offset = get_be24(p + 1), .type = p[4], .q = p[5], .width = 8 * p[6], .height = 8 * p[7]};
    size_t at = HEADER_BYTES;
    if (out->type >= TYPE_RESTART && out->type < TYPE_DYNAMIC) {
        if (n < at + RESTART_BYTES)
            return false;
        out->restart_interval = get_be16(p + at);
        out->type -= TYPE_RESTART;
        at += RESTART_BYTES;
    }
    if (out->type <= 1)
        out->sampling = out->type == 0 ? 0x21 : 0x22;
    *rest = (struct nal_span){p + at, n - at};
    return true;
}

/* Beside the first fragment, what the headers have no room for. */
static void read_extension(const struct rtp *rtp, struct header *h)
{
    struct jpeg j;
    if (rtp->extension_size == 0 || rtp->extension_profile != EXTENSION_SOI ||
        jpeg_read_segments(rtp->extension, rtp->extension_size, &j) < 0 || j.width == 0 ||
        j.height == 0)
        return;
    h->width = j.width;
    h->height = j.height;
    h->sampling = j.n_components == 3 && j.has_plain_chroma ? j.sampling : 0;
}

/* Luma first, then chroma; one alone serves for both. */
static bool copy_tables(struct tables *dst, unsigned precision, struct nal_span src)
{
    for (size_t i = 0; i < ARRAY_LEN(dst->tables); i++) {
        struct jpeg_table t = {.p = dst->bytes[i], .is_wide = precision >> i & 1};
        if (src.n < jpeg_table_bytes(&t)) {
            dst->tables[i] = (struct jpeg_table){.p = NULL};
            continue;
        }
        memcpy(dst->bytes[i], src.p, jpeg_table_bytes(&t));
        src.p += jpeg_table_bytes(&t);
        src.n -= jpeg_table_bytes(&t);
        dst->tables[i] = t;
    }
    return dst->tables[0].p != NULL;
}

/* Tables in front of the scan (3.1.8), which hold for all pictures of the same Q until others come.
 * NULL: there are none, or they cannot be read. */
static const struct tables *take_tables(struct depay_jpeg *j, unsigned q, struct nal_span *rest,
                                        struct tables *own)
{
    if (rest->n < TABLES_HEADER_BYTES)
        return NULL;
    unsigned precision = rest->p[1];
    struct nal_span bytes = {rest->p + TABLES_HEADER_BYTES, get_be16(rest->p + 2)};
    if (bytes.n > rest->n - TABLES_HEADER_BYTES)
        return NULL;
    *rest = (struct nal_span){bytes.p + bytes.n, rest->n - TABLES_HEADER_BYTES - bytes.n};
    struct tables **kept = q < Q_DYNAMIC ? &j->kept[q - Q_IN_BAND] : NULL;
    if (bytes.n == 0)
        return kept ? *kept : NULL;
    if (!kept)
        return copy_tables(own, precision, bytes) ? own : NULL;
    if (!*kept)
        *kept = xcalloc(1, sizeof **kept);
    if (!copy_tables(*kept, precision, bytes))
        FREE(kept);
    return *kept;
}

static const struct tables *choose_tables(struct depay_jpeg *j, unsigned q, struct nal_span *rest,
                                          struct tables *own)
{
    if (q >= Q_IN_BAND)
        return take_tables(j, q, rest, own);
    uint8_t standard[2][JPEG_TABLE_VALUES];
    jpeg_standard_tables(q, standard);
    copy_tables(own, 0, (struct nal_span){standard[0], sizeof standard});
    return own;
}

static bool is_whole_image(const struct nal_span *rest)
{
    return rest->n >= 2 && rest->p[0] == 0xff && rest->p[1] == 0xd8;
}

/* False: what this picture looks like is not known. */
static bool start_picture(struct depay *d, const struct header *h, struct nal_span *rest)
{
    struct depay_jpeg *j = d->jpeg;
    struct tables own;
    uint8_t head[JPEG_HEAD_MAX_BYTES];
    const struct tables *t = is_whole_image(rest) ? NULL : choose_tables(j, h->q, rest, &own);
    bool has_size = h->width > 0 && h->height > 0;
    j->au_width = has_size ? h->width : j->width;
    j->au_height = has_size ? h->height : j->height;
    j->scan_at = 0;
    if (!is_whole_image(rest)) {
        if (!t || h->sampling == 0 || j->au_width == 0 || j->au_height == 0)
            return false;
        struct jpeg image = {.width = j->au_width,
                             .height = j->au_height,
                             .sampling = h->sampling,
                             .restart_interval = h->restart_interval,
                             .tables = {t->tables[0], t->tables[1]}};
        j->scan_at = jpeg_write_head(&image, head);
    }
    j->au = packet_create(MAX(j->guess, j->scan_at + rest->n));
    if (!j->au)
        return false;
    memcpy(j->au->data, head, j->scan_at);
    j->au->size = j->scan_at;
    return true;
}

/* --- fragments --- */

/* The first fragment of a picture. */
static bool take_first(struct depay *d, const struct rtp *rtp, uint32_t lost, struct header *h,
                       struct nal_span *rest)
{
    struct depay_jpeg *j = d->jpeg;
    if (j->au && lost == 0)
        end_picture(d);
    else if (j->au)
        damaged(d, j->timestamp);
    d->lost += lost;
    j->is_skipping = false;
    j->timestamp = rtp->timestamp;
    read_extension(rtp, h);
    if (start_picture(d, h, rest))
        return true;
    d->stats.n_bad_payloads++;
    skip(d, rtp->timestamp);
    return false;
}

/* A later one: it must follow what is there. *rest becomes what is new in it. */
static bool take_next(struct depay *d, const struct rtp *rtp, uint32_t lost, struct header *h,
                      struct nal_span *rest)
{
    struct depay_jpeg *j = d->jpeg;
    d->lost += lost;
    if (!j->au) {
        if (!j->is_skipping || j->skipped_timestamp != rtp->timestamp)
            damaged(d, rtp->timestamp);
        return false;
    }
    size_t have = j->au->size - j->scan_at;
    bool is_same = rtp->timestamp == j->timestamp;
    if (h->offset == have && (is_same || lost == 0))
        return true;
    if (is_same && h->offset + rest->n <= have) /* twice the same */
        return false;
    if (!is_same)
        damaged(d, j->timestamp);
    damaged(d, rtp->timestamp);
    return false;
}

void depay__jpeg_input(struct depay *d, const struct rtp *rtp, uint32_t lost)
{
    struct header h;
    struct nal_span rest;
    if (!read_header(rtp, &h, &rest)) {
        d->lost += lost;
        d->stats.n_bad_payloads += rtp->payload_size > 0;
        return;
    }
    if (!(h.offset == 0 ? take_first : take_next)(d, rtp, lost, &h, &rest) ||
        !append(d, rest.p, rest.n))
        return;
    if (rtp->marker)
        end_picture(d);
}

/* What is open has not seen its marker: it is taken for unfinished. */
void depay__jpeg_restart(struct depay *d)
{
    if (d->jpeg->au)
        damaged(d, d->jpeg->timestamp);
    d->jpeg->is_skipping = false;
}

void depay__jpeg_flush(struct depay *d)
{
    if (d->jpeg->au)
        end_picture(d);
}
