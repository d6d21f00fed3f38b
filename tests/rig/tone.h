/* A soft tone for cameras with a microphone: samples of a chord that swells and fades, so that loss
 * can be heard. Pure function of the sample's number. */
#ifndef RIG_TONE_H
#define RIG_TONE_H

#include <stdint.h>

/* -1 to 1; the tone repeats every TONE_SECONDS without a break. */
#define TONE_SECONDS 2
double tone_sample(uint64_t index, int sample_rate);

#endif
