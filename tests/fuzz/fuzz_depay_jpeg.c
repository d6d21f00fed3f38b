/* RTP payloads of JPEG as records of flags, size and payload; the whole input as an image. What
 * comes out must be an image that reads back and can be cut again. */
#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "media/depay.h"
#include "media/jpeg.h"
#include "media/pay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_piece(void *ctx, const struct pay_piece *piece)
{
    size_t *n = ctx;
    assert(piece->prefix_size <= sizeof piece->prefix && piece->prefix_size + piece->size <= 600);
    *n += piece->size;
}

static void on_unit(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    struct jpeg j;
    size_t n = 0;
    (void)ctx;
    (void)timestamp;
    assert(pkt->is_key && pkt->size <= pkt->capacity && pkt->capacity <= PACKET_MAX_BYTES);
    assert(jpeg_read(pkt->data, pkt->size, &j) == 0);
    assert(pkt->format->width == j.width && pkt->format->height == j.height);
    if (pay_packet(pkt, true, 600, on_piece, &n) == 0)
        assert(n == j.scan_end - j.scan_at);
    packet_unref(&pkt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdp_media media = {.codec = CODEC_JPEG, .format = format_create_jpeg(2560, 1920)};
    struct rtp rtp = {.timestamp = 1};
    struct depay *d;
    struct jpeg j;
    if (jpeg_read(data, size, &j) == 0)
        assert(j.scan_at <= j.scan_end && j.scan_end <= size);
    depay_create(&media, on_unit, NULL, &d);
    format_unref(&media.format);
    for (size_t at = 0; at + 3 <= size;) {
        unsigned flags = data[at];
        rtp.marker = flags & 1;
        rtp.timestamp += flags >> 1 & 1;
        rtp.payload = data + at + 3;
        at += 3;
        rtp.payload_size = MIN((size_t)get_be16(data + at - 2), size - at);
        at += rtp.payload_size;
        rtp.extension_profile = flags & 0x10 ? 0xffd8 : 0;
        rtp.extension = rtp.payload;
        rtp.extension_size = rtp.payload_size / 2;
        if (flags & 0x10) {
            rtp.payload += rtp.extension_size;
            rtp.payload_size -= rtp.extension_size;
        }
        depay_input(d, &rtp, flags >> 2 & 3);
        if (flags & 0x80)
            depay_restart(d, rtp.timestamp);
    }
    depay_flush(d);
    depay_destroy(&d);
    return 0;
}
