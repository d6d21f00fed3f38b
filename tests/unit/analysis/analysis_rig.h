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
    bool is_265 = codec == CODEC_H265;
    size_t n = is_265 ? sizeof key_h265 : sizeof key_h264;
    struct packet *pkt = packet_create(n);
    assert_int_equal(format_create_config(codec, is_265 ? key_h265_config : key_h264_config,
                                          is_265 ? sizeof key_h265_config : sizeof key_h264_config,
                                          160, 120, 0, 0, &pkt->format),
                     0);
    memcpy(pkt->data, is_265 ? key_h265 : key_h264, n);
    pkt->size = n;
    pkt->is_video = pkt->is_key = true;
    pkt->wall_us = wall_us;
    return pkt;
}

static inline void rig_give_up(void *ctx)
{
    (void)ctx;
    fail_msg("waited for more than 10 s");
}

/* Turns the loop until the condition holds. */
#define RIG_WAIT(loop, condition)                                                                  \
    do {                                                                                           \
        struct timer watchdog = {0};                                                               \
        timer_init(&watchdog, loop, rig_give_up, NULL);                                            \
        timer_arm_ms(&watchdog, 10000);                                                            \
        while (!(condition))                                                                       \
            loop_turn(loop, true);                                                                 \
        timer_disarm(&watchdog);                                                                   \
    } while (0)

#endif
