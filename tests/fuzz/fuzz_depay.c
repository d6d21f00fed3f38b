/* RTP payloads: the first byte chooses the codec, then records of flags, size and payload. */
#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "media/depay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_unit(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    (void)ctx;
    (void)timestamp;
    if (pkt->format && format_moment_bytes(pkt->format) > 0)
        assert(pkt->size % format_moment_bytes(pkt->format) == 0);
    assert(pkt->size > 0 && pkt->size <= pkt->capacity && pkt->capacity <= PACKET_MAX_BYTES);
    for (size_t at = 0; pkt->is_video && at < pkt->size;) {
        assert(pkt->size - at > 4 && get_be32(pkt->data + at) <= pkt->size - at - 4);
        at += 4 + get_be32(pkt->data + at);
    }
    packet_unref(&pkt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum codec codecs[] = {CODEC_H264,  CODEC_H265,  CODEC_AAC,   CODEC_PCMA,
                                        CODEC_S16BE, CODEC_S16LE, CODEC_S16BE, CODEC_S16LE};
    struct depay *d;
    struct rtp rtp = {.timestamp = 1};
    if (size < 1)
        return 0;
    struct sdp_media media = {.codec = codecs[data[0] & 7], .max_don_diff = data[0] >> 7};
    if (codec_is_s16(media.codec))
        format_create_audio(media.codec, 8000, 1 + (data[0] >> 1 & 1), NULL, 0, &media.format);
    depay_create(&media, on_unit, NULL, &d);
    format_unref(&media.format);
    for (size_t at = 1; at + 3 <= size; at += rtp.payload_size) {
        unsigned flags = data[at];
        rtp.marker = flags & 1;
        rtp.timestamp += flags >> 1 & 1;
        rtp.payload = data + at + 3;
        at += 3;
        rtp.payload_size = MIN((size_t)get_be16(data + at - 2), size - at);
        depay_input(d, &rtp, flags >> 2 & 3);
        if (flags & 0x80)
            depay_restart(d, rtp.timestamp + (flags >> 3 & 1));
    }
    depay_flush(d);
    depay_destroy(&d);
    return 0;
}
