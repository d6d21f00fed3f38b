#include "tone.h"

#include <math.h>

#include "reel.h"

#define TWO_PI      6.283185307179586
#define PLAIN_RATE  8000
#define PLAIN_FRAME 160 /* samples: 20 ms */

double tone_sample(uint64_t index, int sample_rate)
{
    double t = fmod((double)index / sample_rate, TONE_SECONDS);
    double swell = 0.5 - 0.5 * cos(TWO_PI * t / TONE_SECONDS);
    return 0.12 * swell * (sin(TWO_PI * 330 * t) + sin(TWO_PI * 440 * t));
}

/* ITU-T G.711 A-law of a 13-bit magnitude. */
static uint8_t alaw(double sample)
{
    int v = (int)lrint(sample * 4095);
    uint8_t sign = v >= 0 ? 0x80 : 0;
    unsigned m = (unsigned)MIN(v >= 0 ? v : -v - 1, 4095);
    unsigned exponent = 0;
    for (unsigned top = m >> 5; top > 0; top >>= 1)
        exponent++;
    unsigned mantissa = exponent == 0 ? (m >> 1) & 0xf : (m >> exponent) & 0xf;
    return (uint8_t)((sign | exponent << 4 | mantissa) ^ 0x55);
}

static void put_sample(enum codec codec, double sample, struct packet *pkt)
{
    unsigned v = (unsigned)lrint(sample * 32767);
    uint8_t upper = (uint8_t)(v >> 8);
    uint8_t lower = (uint8_t)v;
    if (codec == CODEC_PCMA) {
        pkt->data[pkt->size++] = alaw(sample);
    } else {
        pkt->data[pkt->size++] = codec == CODEC_S16BE ? upper : lower;
        pkt->data[pkt->size++] = codec == CODEC_S16BE ? lower : upper;
    }
}

struct reel *reel_tone_plain(enum codec codec)
{
    struct format *format = NULL;
    if (format_create_audio(codec, PLAIN_RATE, 1, NULL, 0, &format) < 0)
        return NULL;
    struct reel *reel = reel_create(format);
    struct packet *pkt = packet_create(PLAIN_FRAME * format_moment_bytes(format));
    if (pkt)
        pkt->format = format_ref(format);
    for (int64_t at = 0; pkt && at < TONE_SECONDS * PLAIN_RATE; at += PLAIN_FRAME) {
        pkt->size = 0;
        for (int i = 0; i < PLAIN_FRAME; i++)
            put_sample(codec, tone_sample((uint64_t)(at + i), PLAIN_RATE), pkt);
        pkt->dts = pkt->pts = at;
        if (reel_append(reel, pkt) < 0)
            break;
    }
    packet_unref(&pkt);
    format_unref(&format);
    if (reel_finish(reel, NULL) < 0)
        reel_destroy(&reel);
    return reel;
}
