/* AAC facts (ISO/IEC 14496-3): AudioSpecificConfig and ADTS.
 * Thread: pure functions on caller's bytes. */
#ifndef MEDIA_AAC_H
#define MEDIA_AAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aac_config {
    int object_type;   /* 2 = LC; of the core when SBR is told explicitly */
    int sample_rate;   /* of the core */
    int channels;      /* 0 = told in the stream */
    int frame_samples; /* 1024 or 960 */
};

/* 0 or ERR_PARSE. */
int aac_read_config(const uint8_t *p, size_t n, struct aac_config *out);

/* Two bytes for LC, or five for a rate without an index; returns how many. */
#define AAC_CONFIG_MAX_BYTES 5
size_t aac_write_config(int sample_rate, int channels, uint8_t dst[AAC_CONFIG_MAX_BYTES]);

/* An ADTS frame. 0, or ERR_PARSE when the bytes do not start with a whole one. */
struct aac_adts {
    struct aac_config config;
    size_t header_size, frame_size; /* frame_size includes the header */
};
int aac_read_adts(const uint8_t *p, size_t n, struct aac_adts *out);

#endif
