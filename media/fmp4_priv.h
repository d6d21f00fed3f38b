/* Shared by the fmp4_*.c files only: boxes into a struct buf, and numbers into raw memory. */
#ifndef MEDIA_FMP4_PRIV_H
#define MEDIA_FMP4_PRIV_H

#include "media/fmp4.h"

enum {
    FMP4_FLAGS_SYNC = 0x02000000,     /* depends on no other sample */
    FMP4_FLAGS_NON_SYNC = 0x01010000, /* depends on others, is no sync sample */
};
/* What an esds box says is in the track (ISO/IEC 14496-1 table 5). */
enum { FMP4_KIND_AAC = 0x40, FMP4_KIND_JPEG = 0x6c };
enum { FMP4_PRFT_BYTES = 32 }; /* version 1 */
enum { FMP4_MOVIE_TIMESCALE = 90000 };

/* ISO/IEC 14496-12 8.16.5: NTP time counts from 1900, ours from 1970. */
#define FMP4_NTP_OFFSET_S UINT64_C(2208988800)
/* Box creation times count from 1904. */
#define FMP4_MAC_OFFSET_S UINT64_C(2082844800)

/* Opens a box and returns the mark that fmp4__end needs to fill in its size. */
size_t fmp4__box(struct buf *b, uint32_t type);
size_t fmp4__full_box(struct buf *b, uint32_t type, unsigned version, uint32_t flags);
void fmp4__end(struct buf *b, size_t mark);
void fmp4__zeros(struct buf *b, size_t n);

void fmp4__ftyp(struct buf *b, bool is_fragmented);
/* duration in FMP4_MOVIE_TIMESCALE; times since 1970 UTC. */
void fmp4__mvhd(struct buf *b, uint64_t duration, int64_t wall_us);
void fmp4__tkhd(struct buf *b, uint32_t track, const struct format *f, uint64_t duration,
                int64_t wall_us);
/* mdhd and hdlr; duration in the format's timescale. */
void fmp4__mdia_head(struct buf *b, const struct format *f, uint64_t duration, int64_t wall_us);
/* vmhd or smhd, and dinf. */
void fmp4__minf_head(struct buf *b, const struct format *f);
/* One sample entry of an stsd box. ERR_UNSUPPORTED or ERR_INVALID for what no entry exists for. */
int fmp4__sample_entry(struct buf *b, const struct format *f, bool is_inband);

static inline uint8_t *fmp4__w32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}
static inline uint8_t *fmp4__w64(uint8_t *p, uint64_t v)
{
    return fmp4__w32(fmp4__w32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

/* --- reading --- */

/* Bytes still to be read; reading past the end gives zeros and sets is_short. */
struct fmp4_cursor {
    const uint8_t *p;
    size_t n;
    bool is_short;
};

static inline const uint8_t *fmp4__take(struct fmp4_cursor *c, size_t n)
{
    if (n > c->n) {
        c->is_short = true;
        c->n = 0;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    c->n -= n;
    return p;
}

static inline uint32_t fmp4__take_u8(struct fmp4_cursor *c)
{
    const uint8_t *p = fmp4__take(c, 1);
    return p != NULL ? *p : 0;
}
static inline uint32_t fmp4__take_u16(struct fmp4_cursor *c)
{
    const uint8_t *p = fmp4__take(c, 2);
    return p != NULL ? get_be16(p) : 0;
}
static inline uint32_t fmp4__take_u32(struct fmp4_cursor *c)
{
    const uint8_t *p = fmp4__take(c, 4);
    return p != NULL ? get_be32(p) : 0;
}
static inline uint64_t fmp4__take_u64(struct fmp4_cursor *c)
{
    const uint8_t *p = fmp4__take(c, 8);
    return p != NULL ? get_be64(p) : 0;
}

/* The next child box; false at the end or when the rest is no box. */
bool fmp4__next_box(struct fmp4_cursor *c, uint32_t *type, struct fmp4_cursor *body);
bool fmp4__find_box(struct fmp4_cursor in, uint32_t type, struct fmp4_cursor *body);

#endif
