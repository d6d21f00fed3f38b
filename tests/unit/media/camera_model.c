#include "camera_model.h"

#include <math.h>

#include "base/mem.h"

#define CLOCK    90000
#define GOP      50
#define JITTER_S 0.03

void camera_model_init(struct camera_model *m, const struct camera_traits *traits)
{
    *m = (struct camera_model){.traits = traits,
                               .random = 88172645463325252u,
                               .fps = traits->fps,
                               .base = 0xffff0000,
                               .reboot_s = traits->reboot_every_s};
}

/* xorshift64; in [0, 1) */
static double dice(struct camera_model *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (double)(m->random >> 11) / (double)(UINT64_C(1) << 53);
}

/* --- the camera --- */

static double rate_now(struct camera_model *m)
{
    const struct camera_traits *c = m->traits;
    bool is_night = c->night_fps > 0 && (int64_t)(m->t_s / 3600) % 2 == 1;
    if (c->is_varying && m->t_s >= m->next_rate_s) {
        m->next_rate_s = m->t_s + 2 + 8 * dice(m);
        return 5 + (c->fps - 5) * dice(m);
    }
    if (c->is_varying)
        return m->fps;
    return is_night ? c->night_fps : c->fps;
}

/* The step from this picture to the next, in true time and in stamps. */
static void step(struct camera_model *m)
{
    const struct camera_traits *c = m->traits;
    double fps = rate_now(m);
    if (fps != m->fps && c->stamp_fps > 0)
        m->changed_s = m->t_s;
    m->fps = fps;
    m->t_s += 1 / fps;
    m->stamp_s += c->stamp_fps > 0 ? 1 / c->stamp_fps : (1 + c->drift) / fps;
    m->i++;
    if (m->reboot_s > 0 && m->t_s >= m->reboot_s) {
        m->reboot_s += m->traits->reboot_every_s;
        m->stamp_s += 40000 * dice(m) - 20000;
    }
}

static bool is_every(int64_t i, int n)
{
    return n > 0 && i % n == n - 1;
}

/* Decode order within a group of b + 1: the last one first. */
static double stamp_of(const struct camera_model *m)
{
    int n = m->traits->n_b + 1;
    double frame_s = 1 / m->fps;
    int k = (int)((m->i + n - 1) % n); /* i = 0 is the key frame alone */
    if (n == 1 || m->i == 0)
        return m->stamp_s;
    return m->stamp_s + (k == 0 ? n - 1 : -1) * frame_s;
}

static uint32_t rtp_of(struct camera_model *m)
{
    const struct camera_traits *c = m->traits;
    uint32_t rtp = m->base + (uint32_t)llround(stamp_of(m) * CLOCK);
    if (is_every(m->i, c->repeat_every))
        rtp = m->last_rtp;
    else if (is_every(m->i, c->reverse_every))
        rtp -= CLOCK / 10;
    if (is_every(m->i, c->outlier_every))
        return rtp + (dice(m) < 0.5 ? 1 : -1) * (uint32_t)((1 + 4 * dice(m)) * 3600 * CLOCK);
    m->last_rtp = rtp;
    return rtp;
}

/* --- the network --- */

static double within(double t_s, double every_s, double for_s)
{
    if (every_s <= 0)
        return -1;
    double at = fmod(t_s, every_s) - (every_s - for_s);
    return at >= 0 ? for_s - at : -1; /* what is left of it */
}

static double arrival_of(struct camera_model *m)
{
    const struct camera_traits *c = m->traits;
    double ready_s =
        m->t_s + MODEL_LATENCY_S + (c->jitter_s > 0 ? c->jitter_s : JITTER_S) * dice(m);
    if (c->burst > 1)
        ready_s += (double)(c->burst - 1 - m->i % c->burst) / m->fps;
    double left_s = within(ready_s, c->stall_every_s, c->stall_s);
    if (left_s > 0)
        ready_s += left_s;
    double take_s = 0;
    if (within(m->arrival_s, c->narrow_every_s, c->narrow_for_s) > 0)
        take_s = 1 / m->fps / c->narrow_share;
    else if (c->narrow_every_s > 0)
        take_s = 0.2 / m->fps;
    m->arrival_s = fmax(ready_s, m->arrival_s + take_s);
    return m->arrival_s;
}

bool camera_model_next(struct camera_model *m, struct model_picture *out)
{
    if (m->t_s > m->traits->hours * 3600)
        return false;
    *out = (struct model_picture){
        .rtp = rtp_of(m),
        .taken_us = llround(m->t_s * 1e6),
        .punctual_us = llround((m->t_s + MODEL_LATENCY_S) * 1e6),
        .arrival_us = llround(arrival_of(m) * 1e6),
        .is_key = m->i % GOP == 0,
        .since_change_us = llround((m->t_s - m->changed_s) * 1e6),
    };
    step(m);
    return true;
}
