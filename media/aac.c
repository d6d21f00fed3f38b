#include "media/aac.h"

#include "base/err.h"
#include "base/mem.h"
#include "media/bits.h"

enum {
    AOT_SBR = 5,
    AOT_ESCAPE = 31,
    AOT_PS = 29,
    RATE_INDEX_ESCAPE = 15,
    ADTS_HEADER_BYTES = 7,
};

static const int sample_rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                   22050, 16000, 12000, 11025, 8000,  7350};

static int read_rate(struct bits *b)
{
    uint32_t index = bits_u(b, 4);
    if (index == RATE_INDEX_ESCAPE)
        return (int)bits_u(b, 24);
    return index < ARRAY_LEN(sample_rates) ? sample_rates[index] : 0;
}

static int read_object_type(struct bits *b)
{
    uint32_t type = bits_u(b, 5);
    return (int)(type == AOT_ESCAPE ? 32 + bits_u(b, 6) : type);
}

static int channels_of(uint32_t configuration)
{
    return (int)(configuration == 7 ? 8 : configuration);
}

int aac_read_config(const uint8_t *p, size_t n, struct aac_config *out)
{
    struct bits b;
    bits_init_plain(&b, p, n);
    *out = (struct aac_config){.object_type = read_object_type(&b)};
    out->sample_rate = read_rate(&b);
    uint32_t channels = bits_u(&b, 4);
    if (out->object_type == AOT_SBR || out->object_type == AOT_PS) {
        read_rate(&b);
        out->object_type = read_object_type(&b);
    }
    if (b.is_failed || out->object_type == 0 || out->sample_rate <= 0 || channels > 7 ||
        out->sample_rate > 192000)
        return ERR_PARSE;
    out->channels = channels_of(channels);
    out->frame_samples = bits_flag(&b) ? 960 : 1024;
    return 0;
}

size_t aac_write_config(int sample_rate, int channels, uint8_t dst[AAC_CONFIG_MAX_BYTES])
{
    unsigned index = 0;
    unsigned ch = channels == 8 ? 7 : (unsigned)CLAMP(channels, 1, 6);
    while (index < ARRAY_LEN(sample_rates) && sample_rates[index] != sample_rate)
        index++;
    if (index < ARRAY_LEN(sample_rates)) {
        dst[0] = (uint8_t)(2 << 3 | index >> 1);
        dst[1] = (uint8_t)(index << 7 | ch << 3);
        return 2;
    }
    uint32_t rate = (uint32_t)sample_rate & 0xffffff;
    dst[0] = (uint8_t)(2 << 3 | RATE_INDEX_ESCAPE >> 1);
    dst[1] = (uint8_t)(0x80 | rate >> 17);
    dst[2] = (uint8_t)(rate >> 9);
    dst[3] = (uint8_t)(rate >> 1);
    dst[4] = (uint8_t)(rate << 7 | ch << 3);
    return 5;
}

int aac_read_adts(const uint8_t *p, size_t n, struct aac_adts *out)
{
    if (n < ADTS_HEADER_BYTES || p[0] != 0xff || (p[1] & 0xf6) != 0xf0)
        return ERR_PARSE;
    unsigned index = (p[2] >> 2) & 15;
    out->header_size = p[1] & 1 ? ADTS_HEADER_BYTES : ADTS_HEADER_BYTES + 2;
    out->frame_size = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5;
    if (index >= ARRAY_LEN(sample_rates) || out->frame_size <= out->header_size ||
        out->frame_size > n)
        return ERR_PARSE;
    out->config = (struct aac_config){.object_type = (p[2] >> 6) + 1,
                                      .sample_rate = sample_rates[index],
                                      .channels = channels_of((p[2] & 1u) << 2 | p[3] >> 6),
                                      .frame_samples = 1024};
    return 0;
}
