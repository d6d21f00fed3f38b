#include <math.h>
#include <stdbool.h>

#include "media_rig.h"

#include "base/mem.h"
#include "media/byte_order.h"

#define TWO_PI   6.283185307179586
#define N_SECOND 8000

/* One camera's microphone: `index` counts samples of 8 kHz, `random` is between -1 and 1. */
struct sound {
    const char *name;
    double (*sample)(double index, double random, double parameter);
    double parameter;
    bool is_telling; /* its order must be found; of the others nothing may be said, or the truth */
};

static double sine(double index, double frequency, double amplitude)
{
    return amplitude * sin(TWO_PI * frequency * index / N_SECOND);
}

static double silence(double index, double random, double value)
{
    (void)index, (void)random;
    return value;
}

static double hiss(double index, double random, double amplitude)
{
    (void)index;
    return amplitude * random;
}

static double tone(double index, double random, double amplitude)
{
    return sine(index, 440, amplitude) + random;
}

/* A voice, roughly: a pitch with overtones that comes and goes, and breath. */
static double voice(double index, double random, double amplitude)
{
    double swell = fmax(0, sin(TWO_PI * 3 * index / N_SECOND));
    double pitch = 180 + 20 * sin(TWO_PI * 0.7 * index / N_SECOND);
    double v = sine(index, pitch, 0.5) + sine(index, 3 * pitch, 0.25) + sine(index, 7 * pitch, 0.1);
    return amplitude * swell * v + 0.01 * amplitude * random;
}

static double whistle(double index, double random, double frequency)
{
    return sine(index, frequency, 32000) + random;
}

static double square(double index, double random, double amplitude)
{
    (void)random;
    return sine(index, 441, 1) >= 0 ? amplitude : -amplitude;
}

static double clipped(double index, double random, double frequency)
{
    return CLAMP(sine(index, frequency, 1e6) + 500 * random, -32768, 32767);
}

static double eight_bits(double index, double random, double amplitude)
{
    return 256 * floor(voice(index, random, amplitude) / 256);
}

/* The 4 upper of 12 bits that move are hardly enough for this microphone. */
static double twelve_bits(double index, double random, double amplitude)
{
    return 16 * floor(voice(index, random, amplitude) / 16);
}

/* Never below zero: as exchanged as it looks like 8 bits. */
static double offset(double index, double random, double amplitude)
{
    return amplitude * 1.1 + voice(index, random, amplitude) * 0.9;
}

/* A-law and back: what an encoder with a G.711 front end sends as L16. */
static double companded(double index, double random, double frequency)
{
    double v = sine(index, frequency, 31000) + random;
    double magnitude = fabs(v), step = 16;
    while (magnitude >= step * 32)
        step *= 2;
    double kept = step * floor(magnitude / step) + step / 2;
    return v < 0 ? -kept : kept;
}

static const struct sound sounds[] = {
    {"nothing", silence, 0, false},
    {"an offset", silence, 300, false},
    {"dither", hiss, 1.4, false},
    {"the quiet noise of a microphone", hiss, 20, true},
    {"a fan", hiss, 900, true},
    {"a loud fan", hiss, 4000, true},
    {"noise of full scale", hiss, 32767, false},
    {"a soft tone", tone, 100, true},
    {"a tone", tone, 3000, true},
    {"a loud tone", tone, 12000, true},
    {"a very loud tone", tone, 30000, false},
    {"a whisper", voice, 200, true},
    {"a voice", voice, 6000, true},
    {"a loud voice", voice, 30000, true},
    {"a whistle of 1 kHz", whistle, 1000, false},
    {"a whistle of 3 kHz", whistle, 3001, false},
    {"a whistle at the end of what 8 kHz can hold", whistle, 3999.7, false},
    {"a beep of two values", square, 0x4000, false},
    {"a beep of two other values", square, 0x4123, false},
    {"a quiet beep of two values", square, 3, false},
    {"clipped hum", clipped, 50, false},
    {"clipped tone", clipped, 997, false},
    {"8 bits", eight_bits, 20000, false},
    {"8 bits, loud noise", eight_bits, 60000, false},
    {"12 bits", twelve_bits, 9000, true},
    {"never below zero", offset, 100, false},
    {"companded hum", companded, 100, false},
    {"companded tone", companded, 2003, false},
    {"companded whistle", companded, 3501, false},
};

/* Two seconds as the camera sends them; returns bytes. */
static size_t record(const struct sound *s, enum byte_order order, int channels, uint8_t *out)
{
    uint32_t seed = 12345;
    uint8_t *w = out;
    for (int i = 0; i < 2 * N_SECOND; i++) {
        for (int c = 0; c < channels; c++) {
            seed = seed * 1664525 + 1013904223;
            double random = (double)(int32_t)seed / 2147483648.0;
            double v = s->sample(i + 3000.0 * c, random, s->parameter);
            unsigned bits = (unsigned)lrint(CLAMP(v, -32768, 32767));
            *w++ = (uint8_t)(order == BYTE_ORDER_BIG ? bits >> 8 : bits);
            *w++ = (uint8_t)(order == BYTE_ORDER_BIG ? bits : bits >> 8);
        }
    }
    return (size_t)(w - out);
}

static enum byte_order guess(const uint8_t *p, size_t n, int channels)
{
    struct byte_order_guess g = {0};
    size_t piece = (size_t)channels * 320;
    for (size_t at = 0; at < n; at += piece)
        byte_order_hear(&g, p + at, MIN(piece, n - at), channels);
    return g.found;
}

static void check(const struct sound *s, enum byte_order order, int channels)
{
    static uint8_t bytes[2 * N_SECOND * 4];
    enum byte_order found = guess(bytes, record(s, order, channels, bytes), channels);
    if (found != order && (s->is_telling || found != BYTE_ORDER_UNKNOWN))
        fail_msg("%s, %d channels: %d was taken for %d", s->name, channels, order, found);
}

static void M2_finds_the_byte_order_or_says_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sounds); i++) {
        for (int channels = 1; channels <= 2; channels++) {
            check(&sounds[i], BYTE_ORDER_BIG, channels);
            check(&sounds[i], BYTE_ORDER_LITTLE, channels);
        }
    }
}

static void M2_silence_decides_nothing_and_the_first_sound_does(void **state)
{
    (void)state;
    static uint8_t bytes[2 * N_SECOND * 2];
    struct byte_order_guess g = {0};
    size_t n = record(&sounds[0], BYTE_ORDER_LITTLE, 1, bytes);
    for (int i = 0; i < 100; i++)
        byte_order_hear(&g, bytes, n, 1);
    assert_int_equal(g.found, BYTE_ORDER_UNKNOWN);
    struct sound soft = {"a voice", voice, 6000, true};
    n = record(&soft, BYTE_ORDER_LITTLE, 1, bytes);
    byte_order_hear(&g, bytes, n, 1);
    assert_int_equal(g.found, BYTE_ORDER_LITTLE);
    record(&soft, BYTE_ORDER_BIG, 1, bytes);
    byte_order_hear(&g, bytes, n, 1); /* what was found stays */
    assert_int_equal(g.found, BYTE_ORDER_LITTLE);
}

static void takes_any_length(void **state)
{
    (void)state;
    struct byte_order_guess g = {0};
    for (size_t n = 0; n < 9; n++) {
        uint8_t *exact = xmalloc(MAX(n, (size_t)1)); /* a sanitizer sees every read past its end */
        for (size_t i = 0; i < n; i++)
            exact[i] = (uint8_t)(i * 37);
        byte_order_hear(&g, exact, n, 1);
        byte_order_hear(&g, exact, n, 2);
        free(exact);
    }
    assert_int_equal(g.found, BYTE_ORDER_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M2_finds_the_byte_order_or_says_nothing),
        cmocka_unit_test(M2_silence_decides_nothing_and_the_first_sound_does),
        cmocka_unit_test(takes_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
