/* JPEG facts (ITU-T T.81): what the head of an image says, and a head for a scan that travels
 * without one, with the tables that RTP takes as known (RFC 2435 appendices A and B).
 * Thread: pure functions on caller's bytes. */
#ifndef MEDIA_JPEG_H
#define MEDIA_JPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JPEG_TABLE_VALUES = 64,
    JPEG_HEAD_MAX_BYTES = 800, /* of what jpeg_write_head writes */
};

/* A quantisation table as a file has it: zigzag order, two bytes per value when is_wide. */
struct jpeg_table {
    const uint8_t *p; /* NULL = none */
    bool is_wide;
};

static inline size_t jpeg_table_bytes(const struct jpeg_table *t)
{
    return t->is_wide ? 2 * JPEG_TABLE_VALUES : JPEG_TABLE_VALUES;
}

struct jpeg {
    int width, height;
    int n_components;
    uint8_t sampling; /* of the first component, horizontal << 4 | vertical; the others are 0x11 */
    uint16_t restart_interval;   /* in MCUs; 0 = no restart markers */
    struct jpeg_table tables[2]; /* of the first component, and of the others */

    /* read only */
    bool is_baseline;         /* sequential, 8 bits, Huffman */
    bool has_standard_codes;  /* the Huffman tables of annex K */
    bool has_plain_chroma;    /* the other components are sampled 1x1 and share one table */
    size_t scan_at, scan_end; /* the entropy-coded bytes; the end is EOI, or that of the bytes */
};

/* Reads up to the first scan; tables point into p. 0, or ERR_PARSE when it is no JPEG image, a
 * marker segment is cut off, or the size is not said. */
int jpeg_read(const uint8_t *p, size_t n, struct jpeg *out);

/* The same of marker segments that stand alone, as ONVIF has them in RTP header extensions; no
 * scan, and the size is 0 when they do not say it. */
int jpeg_read_segments(const uint8_t *p, size_t n, struct jpeg *out);

/* SOI to SOS for a scan of three components; tables[1].p NULL = the first table serves for all.
 * Returns bytes written. */
size_t jpeg_write_head(const struct jpeg *j, uint8_t dst[JPEG_HEAD_MAX_BYTES]);

/* The luma and chroma tables of a quality of 1 to 99 (RFC 2435 4.2); beyond it is clamped. */
void jpeg_standard_tables(unsigned quality, uint8_t dst[2][JPEG_TABLE_VALUES]);

#endif
