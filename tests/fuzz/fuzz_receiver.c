/* Each packet is led by a byte for its length and one for its track, arrival and the clock's step;
 * the first byte chooses UDP, the codec and audio. */
#include "ingest/receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_packet(void *ctx, struct packet *pkt)
{
    *(size_t *)ctx += pkt->size + (pkt->size > 0 ? pkt->data[pkt->size - 1] : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    uint8_t report[64];
    int64_t now_us = 1;
    int mode = size > 0 ? data[0] : 0;
    struct sdp_media video = {.is_video = true, .payload_type = 96, .codec = CODEC_H264};
    struct sdp_media audio = {.is_audio = true, .payload_type = 8, .codec = CODEC_PCMA};
    if (mode & 2)
        video.codec = CODEC_H265;
    format_create_audio(CODEC_PCMA, 8000, 1, NULL, 0, &audio.format);
    struct receiver_params params = {.publish = on_packet, .ctx = &sum};
    struct receiver *r = receiver_create(&params);
    receiver_open(r, &video, mode & 4 ? &audio : NULL, mode & 1);
    for (size_t at = 1; at + 2 <= size;) {
        size_t n = data[at] < size - at - 2 ? data[at] : size - at - 2;
        int track = data[at + 1] & 1;
        now_us += (data[at + 1] >> 1) * INT64_C(3000);
        receiver_arrive(r, now_us, now_us);
        receiver_input(r, track, data + at + 2, n);
        receiver_tick(r, now_us);
        receiver_report(r, track, now_us, report, sizeof report);
        at += 2 + n;
    }
    receiver_destroy(&r);
    format_unref(&audio.format);
    return 0;
}
