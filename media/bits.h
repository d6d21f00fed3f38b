/* Bits of a NAL unit's payload, most significant first, with emulation prevention bytes taken out
 * on the way (ISO/IEC 14496-10 7.3.1), or plain bits. Reading past the end gives zeros and sets
 * is_failed, so a sequence of reads is checked once. Thread: belongs to its owner. */
#ifndef MEDIA_BITS_H
#define MEDIA_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bits {
    const uint8_t *p, *end;
    unsigned n_zeros; /* zero bytes in a row just before p */
    unsigned n_left;  /* unread bits of current */
    uint8_t current;
    bool is_plain; /* no emulation prevention: not a NAL unit */
    bool is_failed;
};

void bits_init(struct bits *b, const uint8_t *p, size_t n);
void bits_init_plain(struct bits *b, const uint8_t *p, size_t n);
uint32_t bits_u(struct bits *b, unsigned n); /* n <= 32 */
uint32_t bits_ue(struct bits *b);            /* Exp-Golomb, at most 2^32 - 2 */
int32_t bits_se(struct bits *b);
void bits_skip(struct bits *b, unsigned n);
static inline bool bits_flag(struct bits *b)
{
    return bits_u(b, 1);
}

/* Exp-Golomb that must not pass max; more is a failure and gives 0. */
uint32_t bits_ue_max(struct bits *b, uint32_t max);

#endif
