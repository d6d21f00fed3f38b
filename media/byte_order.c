#include "media/byte_order.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"

/* A fine byte that is read as the coarse one jumps by 21845 in the mean; the most that sound of one
 * frequency can jump by itself is twice that. */
#define FAR_BETTER 4
/* Values of the fine byte; fewer is a made tone, dither, or samples of 8 bits. */
#define MIN_VALUES 16
/* One pair in so many moves the coarse byte, because sound goes through zero. */
#define MIN_MOVES 64

static int sample_of(const uint8_t *p, bool is_little)
{
    return (int16_t)(is_little ? p[0] | p[1] << 8 : p[0] << 8 | p[1]);
}

/* The ends of the scale are where clipped sound rests; the two jump little when exchanged. */
static bool is_end(const uint8_t *p)
{
    unsigned v = get_be16(p);
    return v == 0x7fff || v == 0x8000 || v == 0xff7f || v == 0x0080;
}

static void take_pair(struct byte_order_guess *g, const uint8_t *a, const uint8_t *b)
{
    int distance[2];
    for (int i = 0; i < 2; i++) {
        distance[i] = abs(sample_of(a, i == 1) - sample_of(b, i == 1));
        g->sum[i] += (unsigned)distance[i];
        g->n_moves[i] += a[i] != b[i];
        g->seen[i][b[i] >> 6] |= UINT64_C(1) << (b[i] & 63);
    }
    g->n_calmer[0] += distance[0] < distance[1];
    g->n_calmer[1] += distance[1] < distance[0];
    g->n_pairs++;
}

static bool has_value(const uint64_t *seen, unsigned value)
{
    return seen[(value & 255) >> 6] >> (value & 63) & 1;
}

/* How many values there were, and how many whose neighbour was there too. */
static int count_values(const uint64_t *seen, int *out_n_beside)
{
    int n = 0;
    *out_n_beside = 0;
    for (unsigned v = 0; v < 256; v++) {
        if (!has_value(seen, v))
            continue;
        n++;
        *out_n_beside += has_value(seen, v + 1) || has_value(seen, v + 255);
    }
    return n;
}

/* i: the reading, which is also the place of its coarse byte. The values of a coarse byte lie side
 * by side; those of a fine one do not when the samples were companded or have fewer bits. */
static bool is_sure(const struct byte_order_guess *g, int i)
{
    int n_beside, n_fine_beside;
    int n_coarse = count_values(g->seen[i], &n_beside);
    return g->sum[1 - i] >= g->sum[i] * FAR_BETTER && g->n_calmer[i] >= g->n_pairs / 5 * 4 &&
           g->n_moves[i] >= g->n_pairs / MIN_MOVES && n_beside >= n_coarse / 2 &&
           count_values(g->seen[1 - i], &n_fine_beside) >= MIN_VALUES;
}

static void decide(struct byte_order_guess *g)
{
    enum byte_order found = is_sure(g, 0)   ? BYTE_ORDER_BIG
                            : is_sure(g, 1) ? BYTE_ORDER_LITTLE
                                            : BYTE_ORDER_UNKNOWN;
    *g = (struct byte_order_guess){.found = found};
}

void byte_order_hear(struct byte_order_guess *g, const uint8_t *p, size_t n, int channels)
{
    size_t frame = 2 * (size_t)channels;
    for (size_t at = frame; at + 2 <= n && g->found == BYTE_ORDER_UNKNOWN; at += 2) {
        const uint8_t *a = p + at - frame;
        const uint8_t *b = p + at;
        if ((a[0] == b[0] && a[1] == b[1]) || is_end(a) || is_end(b))
            continue;
        take_pair(g, a, b);
        if (g->n_pairs == BYTE_ORDER_PAIRS)
            decide(g);
    }
}
