/* RTP and RTCP: what parses prints and parses to the same. */
#include <assert.h>

#include "media/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtp rtp, back;
    struct rtcp_summary sum, sum_back;
    uint8_t out[RTP_HEADER_BYTES + 32];
    if (rtp_parse(data, size, &rtp) >= 0) {
        assert(rtp.payload >= data && rtp.payload + rtp.payload_size <= data + size);
        rtp_print_header(&rtp, out);
        assert(rtp_parse(out, RTP_HEADER_BYTES, &back) >= 0);
        assert(back.seq == rtp.seq && back.timestamp == rtp.timestamp && back.ssrc == rtp.ssrc);
        assert(back.marker == rtp.marker && back.payload_type == rtp.payload_type);
    }
    (void)rtp_is_rtcp(data, size);
    if (rtcp_parse(data, size, &sum) >= 0 && sum.has_sender_report) {
        size_t n = rtcp_print_sender_report(&sum.sr, 1, 2, out, sizeof out);
        assert(n == 28 && rtcp_parse(out, n, &sum_back) >= 0);
        assert(sum_back.sr.ntp == sum.sr.ntp && sum_back.sr.timestamp == sum.sr.timestamp);
    }
    /* Sequence numbers in any order. */
    struct rtp_seq seq = {.is_reliable = size & 1};
    for (size_t i = 0; i + 2 <= size; i += 2) {
        uint32_t lost;
        uint32_t timestamp = (uint32_t)data[i] << 30 | i;
        enum rtp_order order =
            rtp_seq_next(&seq, (uint16_t)(data[i] << 8 | data[i + 1]), timestamp, &lost);
        assert((lost > 0) == (order == RTP_AFTER_LOSS) && lost <= 3000);
    }
    return 0;
}
