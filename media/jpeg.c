#include "media/jpeg.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    SOF0 = 0xc0,
    DHT = 0xc4,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DRI = 0xdd,
    APP0 = 0xe0,
};

/* The Huffman tables of annex K.3 as a DHT segment carries them: class and number, how many codes
 * there are of each length, what they stand for. */
static const uint8_t dc_luma[] = {0x00, 0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
                                  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02,
                                  0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b};
static const uint8_t dc_chroma[] = {0x01, 0x00, 0x03, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
                                    0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02,
                                    0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b};
static const uint8_t ac_luma[] = {
    0x10, 0x00, 0x02, 0x01, 0x03, 0x03, 0x02, 0x04, 0x03, 0x05, 0x05, 0x04, 0x04, 0x00, 0x00,
    0x01, 0x7d, 0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13,
    0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1,
    0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19,
    0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43,
    0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a,
    0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79,
    0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
    0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
    0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6,
    0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};
static const uint8_t ac_chroma[] = {
    0x11, 0x00, 0x02, 0x01, 0x02, 0x04, 0x04, 0x03, 0x04, 0x07, 0x05, 0x04, 0x04, 0x00, 0x01,
    0x02, 0x77, 0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51,
    0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09,
    0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1,
    0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a,
    0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78,
    0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2,
    0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8,
    0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5,
    0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};

static const struct {
    const uint8_t *p;
    size_t n;
} codes[] = {{dc_luma, sizeof dc_luma},
             {ac_luma, sizeof ac_luma},
             {dc_chroma, sizeof dc_chroma},
             {ac_chroma, sizeof ac_chroma}};

/* Annex K.1, in zigzag order. */
static const uint8_t luma_50[JPEG_TABLE_VALUES] = {
    16, 11, 12,  14,  12,  10, 16, 14,  13,  14,  18,  17,  16, 19,  24,  40,
    26, 24, 22,  22,  24,  49, 35, 37,  29,  40,  58,  51,  61, 60,  57,  51,
    56, 55, 64,  72,  92,  78, 64, 68,  87,  69,  55,  56,  80, 109, 81,  87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99};
static const uint8_t chroma_50[] = {17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66};
enum { CHROMA_50_REST = 99 };

void jpeg_standard_tables(unsigned quality, uint8_t dst[2][JPEG_TABLE_VALUES])
{
    unsigned q = CLAMP(quality, 1u, 99u);
    unsigned percent = q < 50 ? 5000 / q : 200 - 2 * q;
    for (size_t i = 0; i < JPEG_TABLE_VALUES; i++) {
        unsigned chroma = i < sizeof chroma_50 ? chroma_50[i] : CHROMA_50_REST;
        dst[0][i] = (uint8_t)CLAMP((luma_50[i] * percent + 50) / 100, 1u, 255u);
        dst[1][i] = (uint8_t)CLAMP((chroma * percent + 50) / 100, 1u, 255u);
    }
}

/* --- reading --- */

struct reader {
    struct jpeg *out;
    struct jpeg_table tables[4]; /* by number */
    uint8_t used[2];             /* numbers of the tables of the first component and the others */
    unsigned n_standard, n_other;
};

static int read_tables(struct reader *r, const uint8_t *p, size_t n)
{
    while (n > 0) {
        struct jpeg_table t = {.p = p + 1, .is_wide = p[0] >> 4};
        size_t size = 1 + jpeg_table_bytes(&t);
        if (size > n)
            return ERR_PARSE;
        r->tables[p[0] & 3] = t;
        p += size;
        n -= size;
    }
    return 0;
}

static int read_codes(struct reader *r, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t size = 17;
        for (size_t i = 1; i < MIN(n, (size_t)17); i++)
            size += p[i];
        if (size > n)
            return ERR_PARSE;
        bool is_standard = false;
        for (size_t i = 0; i < ARRAY_LEN(codes); i++)
            is_standard |= size == codes[i].n && memcmp(p, codes[i].p, size) == 0;
        r->n_standard += is_standard;
        r->n_other += !is_standard;
        p += size;
        n -= size;
    }
    return 0;
}

static int read_frame(struct reader *r, unsigned marker, const uint8_t *p, size_t n)
{
    struct jpeg *out = r->out;
    if (n < 6 || p[5] == 0 || n < 6 + 3 * (size_t)p[5])
        return ERR_PARSE;
    out->is_baseline = marker == SOF0 && p[0] == 8;
    out->height = get_be16(p + 1);
    out->width = get_be16(p + 3);
    out->n_components = p[5];
    out->sampling = p[7];
    r->used[0] = p[8] & 3;
    r->used[1] = p[5] > 1 ? p[11] & 3 : r->used[0];
    out->has_plain_chroma = true;
    for (size_t i = 1; i < p[5]; i++)
        out->has_plain_chroma &= p[7 + 3 * i] == 0x11 && (p[8 + 3 * i] & 3) == r->used[1];
    return 0;
}

static int read_segment(struct reader *r, unsigned marker, const uint8_t *p, size_t n)
{
    if (marker == DQT)
        return read_tables(r, p, n);
    if (marker == DHT)
        return read_codes(r, p, n);
    /* SOF0 to SOF15 without DHT, JPG and DAC, which stand among them */
    if (marker >= SOF0 && marker <= 0xcf && marker != 0xc8 && marker != 0xcc)
        return read_frame(r, marker, p, n);
    if (marker == DRI && n >= 2)
        r->out->restart_interval = get_be16(p);
    return 0;
}

static size_t find_end(const uint8_t *p, size_t n, size_t at)
{
    while (n - at >= 2) {
        const uint8_t *mark = memchr(p + at, 0xff, n - at - 1);
        if (!mark)
            break;
        if (mark[1] == EOI)
            return (size_t)(mark - p);
        at = (size_t)(mark - p) + 1;
    }
    return n;
}

/* From *at on; *at ends behind SOS (returns 1) or where no segment is (0). */
static int walk(struct reader *r, const uint8_t *p, size_t n, size_t *at)
{
    unsigned marker = 0;
    while (marker != SOS && n - *at >= 4 && p[*at] == 0xff) {
        marker = p[*at + 1];
        if (marker == 0xff) { /* fill byte */
            ++*at;
            continue;
        }
        size_t size = get_be16(p + *at + 2);
        if (size < 2 || size > n - *at - 2 || read_segment(r, marker, p + *at + 4, size - 2) < 0)
            return ERR_PARSE;
        *at += 2 + size;
    }
    for (size_t i = 0; i < 2; i++)
        r->out->tables[i] = r->tables[r->used[i]];
    r->out->has_standard_codes = r->n_standard >= ARRAY_LEN(codes) && r->n_other == 0;
    return marker == SOS;
}

int jpeg_read(const uint8_t *p, size_t n, struct jpeg *out)
{
    struct reader r = {.out = out};
    size_t at = 2;
    *out = (struct jpeg){0};
    if (n < 2 || p[0] != 0xff || p[1] != SOI || walk(&r, p, n, &at) != 1)
        return ERR_PARSE;
    out->scan_at = at;
    out->scan_end = find_end(p, n, at);
    return out->width > 0 && out->height > 0 ? 0 : ERR_PARSE;
}

int jpeg_read_segments(const uint8_t *p, size_t n, struct jpeg *out)
{
    struct reader r = {.out = out};
    size_t at = 0;
    *out = (struct jpeg){0};
    return walk(&r, p, n, &at) < 0 ? ERR_PARSE : 0;
}

/* --- writing --- */

static uint8_t *put(uint8_t *w, const void *p, size_t n)
{
    memcpy(w, p, n);
    return w + n;
}

static uint8_t *put_be16(uint8_t *w, unsigned v)
{
    *w++ = (uint8_t)(v >> 8);
    *w++ = (uint8_t)v;
    return w;
}

/* n bytes of content follow. */
static uint8_t *put_marker(uint8_t *w, unsigned marker, size_t n)
{
    *w++ = 0xff;
    *w++ = (uint8_t)marker;
    return put_be16(w, (unsigned)n + 2);
}

static uint8_t *put_table(uint8_t *w, const struct jpeg_table *t, unsigned number)
{
    w = put_marker(w, DQT, 1 + jpeg_table_bytes(t));
    *w++ = (uint8_t)((t->is_wide ? 0x10u : 0u) | number);
    return put(w, t->p, jpeg_table_bytes(t));
}

size_t jpeg_write_head(const struct jpeg *j, uint8_t dst[JPEG_HEAD_MAX_BYTES])
{
    static const uint8_t jfif[14] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
    static const uint8_t scan[10] = {3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0};
    uint8_t chroma = j->tables[1].p ? 1 : 0;
    const uint8_t components[10] = {3, 1, j->sampling, 0, 2, 0x11, chroma, 3, 0x11, chroma};
    uint8_t *w = put(dst, "\xff\xd8", 2);
    w = put(put_marker(w, APP0, sizeof jfif), jfif, sizeof jfif);
    w = put_table(w, &j->tables[0], 0);
    if (chroma)
        w = put_table(w, &j->tables[1], 1);
    w = put_marker(w, SOF0, 5 + sizeof components);
    *w++ = 8; /* bits per sample */
    w = put_be16(w, (unsigned)j->height);
    w = put_be16(w, (unsigned)j->width);
    w = put(w, components, sizeof components);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        w = put(put_marker(w, DHT, codes[i].n), codes[i].p, codes[i].n);
    if (j->restart_interval > 0)
        w = put_be16(put_marker(w, DRI, 2), j->restart_interval);
    w = put(put_marker(w, SOS, sizeof scan), scan, sizeof scan);
    return (size_t)(w - dst);
}
