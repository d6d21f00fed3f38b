/* Real key frames as packets, and waiting for the loop. */
#ifndef TESTS_ANALYSIS_RIG_H
#define TESTS_ANALYSIS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loop.h"
#include "key_frames.h"
#include "media/packet.h"

static inline struct packet *rig_key(enum codec codec, int64_t wall_us)
{
    struct nal_span config = {key_h264_config, sizeof key_h264_config};
    struct nal_span data = {key_h264, sizeof key_h264};
    if (codec == CODEC_H265) {
        config = (struct nal_span){key_h265_config, sizeof key_h265_config};
        data = (struct nal_span){key_h265, sizeof key_h265};
    } else if (codec == CODEC_JPEG) {
        config = (struct nal_span){NULL, 0};
        data = (struct nal_span){key_jpeg, sizeof key_jpeg};
    }
    struct packet *pkt = packet_create(data.n);
    assert_int_equal(format_create_config(codec, config.p, config.n, 160, 120, 0, 0, &pkt->format),
                     0);
    memcpy(pkt->data, data.p, data.n);
    pkt->size = data.n;
    pkt->is_video = pkt->is_key = true;
    pkt->wall_us = wall_us;
    return pkt;
}

static inline void rig_give_up(void *ctx)
{
    (void)ctx;
    fail_msg("waited for more than a minute");
}

/* Turns the loop until the condition holds. */
#define RIG_WAIT(loop, condition)                                                                  \
    do {                                                                                           \
        struct timer watchdog = {0};                                                               \
        timer_init(&watchdog, loop, rig_give_up, NULL);                                            \
        timer_arm_ms(&watchdog, 60000);                                                            \
        while (!(condition))                                                                       \
            loop_turn(loop, true);                                                                 \
        timer_disarm(&watchdog);                                                                   \
    } while (0)

#endif
