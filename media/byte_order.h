/* Finds out from 16-bit samples which of their two bytes comes first, because cameras put little-
 * endian samples under a label that means the other order (quirk M2).
 *
 * Sound moves little from one sample to the next; with the bytes exchanged the fine part of each
 * sample is the coarse one, and it jumps. Both readings are summed up over BYTE_ORDER_PAIRS pairs
 * of samples, and one is believed only when it is far better than the other. Silence, a tone of few
 * values, clipped sound, samples of 8 bits: nothing is said, so the label holds.
 * Thread: pure; belongs to its owner. */
#ifndef MEDIA_BYTE_ORDER_H
#define MEDIA_BYTE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#define BYTE_ORDER_PAIRS 4096 /* that differ: at least 0.5 s of 8 kHz, 0.1 s of 48 kHz */

enum byte_order { BYTE_ORDER_UNKNOWN, BYTE_ORDER_BIG, BYTE_ORDER_LITTLE };

/* All zero = nothing heard. */
struct byte_order_guess {
    enum byte_order found; /* once found, it stays */
    uint32_t n_pairs;
    uint32_t n_calmer[2]; /* pairs that are nearer to each other in this reading: big, little */
    uint32_t n_moves[2];  /* pairs whose first, second byte differ */
    uint64_t sum[2];      /* of the distances in this reading */
    uint64_t seen[2][4];  /* which values the first, the second byte had */
};

/* n bytes that begin with a whole sample of the first of the channels (1 or 2). */
void byte_order_hear(struct byte_order_guess *g, const uint8_t *p, size_t n, int channels);

#endif
