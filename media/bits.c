#include "media/bits.h"

void bits_init(struct bits *b, const uint8_t *p, size_t n)
{
    *b = (struct bits){.p = p, .end = n ? p + n : p};
}

void bits_init_plain(struct bits *b, const uint8_t *p, size_t n)
{
    bits_init(b, p, n);
    b->is_plain = true;
}

static void next_byte(struct bits *b)
{
    if (b->n_zeros >= 2 && !b->is_plain && b->p < b->end && *b->p == 3) {
        b->p++;
        b->n_zeros = 0;
    }
    if (b->p >= b->end) {
        b->is_failed = true;
        b->current = 0;
    } else {
        b->current = *b->p++;
        b->n_zeros = b->current == 0 ? b->n_zeros + 1 : 0;
    }
    b->n_left = 8;
}

uint32_t bits_u(struct bits *b, unsigned n)
{
    uint64_t v = 0;
    while (n > 0 && !b->is_failed) {
        if (b->n_left == 0)
            next_byte(b);
        unsigned take = n < b->n_left ? n : b->n_left;
        b->n_left -= take;
        v = v << take | ((b->current >> b->n_left) & ((1u << take) - 1));
        n -= take;
    }
    return b->is_failed ? 0 : (uint32_t)v;
}

void bits_skip(struct bits *b, unsigned n)
{
    for (; n > 32 && !b->is_failed; n -= 32)
        bits_u(b, 32);
    bits_u(b, n);
}

uint32_t bits_ue(struct bits *b)
{
    unsigned n_zeros = 0;
    while (!b->is_failed && !bits_flag(b))
        n_zeros++;
    if (n_zeros > 31)
        b->is_failed = true;
    if (b->is_failed)
        return 0;
    return n_zeros == 0 ? 0 : (1u << n_zeros) - 1 + bits_u(b, n_zeros);
}

int32_t bits_se(struct bits *b)
{
    uint32_t v = bits_ue(b);
    int32_t half = (int32_t)(v / 2 + (v & 1));
    return v & 1 ? half : -half;
}

uint32_t bits_ue_max(struct bits *b, uint32_t max)
{
    uint32_t v = bits_ue(b);
    if (v <= max)
        return v;
    b->is_failed = true;
    return 0;
}
