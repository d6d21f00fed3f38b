#include "media/timeline.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAX_STEP_S      5.0 /* between believable stamps */
#define MAX_GAP_US      (60 * US_PER_S)
#define MAX_BACK_S      0.5 /* of a B-frame */
#define AGREE_US        US_PER_S
#define N_AGREE         3
#define N_BACK          3
#define HIDDEN_REORDER  2 /* B-frames found out by their stamps */
#define MAX_AHEAD_S     0.15
#define DEAD_ZONE_S     0.02
#define SLEW_TIME_S     4.0
#define DOUBT_TIME_S    20.0
#define LATE_S          2.0
#define N_LATE          3
#define WALL_STEP_US    (US_PER_S / 2)
#define N_EARLY         8 /* short windows while little is known */
#define EARLY_WINDOW_US (US_PER_S / 4)
#define WINDOW_US       US_PER_S
#define WINDOW_MIN      4
#define SLOPE_MIN       0.05

void timeline_init(struct timeline *t, uint32_t timescale, int reorder_frames)
{
    *t = (struct timeline){.timescale = timescale ? timescale : 90000,
                           .reorder_frames = CLAMP(reorder_frames, 0, TIMELINE_MAX_REORDER)};
    t->nominal = t->timescale / 25.0;
    t->rate = t->scale = 1;
    t->last_dts = INT64_MIN;
}

static double ticks_of(const struct timeline *t, int64_t us)
{
    return (double)us * t->timescale / (double)US_PER_S;
}

/* Decoding runs `reorder_frames` pictures behind presentation from here on: what is presented moves
 * later, so that decode times go on evenly. A smaller number later on changes nothing, because what
 * was presented cannot be taken back. */
static void grow_reorder(struct timeline *t)
{
    int64_t delay = llround(t->nominal * t->reorder_frames);
    t->position += (double)(delay - t->delay);
    t->delay = delay;
    t->n_waiting = 0;
    for (int i = t->reorder_frames; i > 0; i--)
        t->waiting[t->n_waiting++] = llround(t->position - (i - 1) * t->nominal);
}

static void start(struct timeline *t, uint32_t rtp, int64_t mono_us, int64_t wall_us)
{
    t->is_started = true;
    t->last_rtp = rtp;
    t->last_mono_us = mono_us;
    t->position = -t->nominal; /* the picture before the first */
    grow_reorder(t);
    t->position = (double)t->delay;
    t->origin_mono_us = mono_us;
    t->wall_offset_us = wall_us - mono_us;
    t->window = (struct timeline_window){.from_mono_us = mono_us, .least = INFINITY};
    t->has_before = true;
    t->before_mono_us = mono_us;
}

/* --- what a stamp says --- */

struct step {
    double ticks; /* forward, RTP ticks; < 0: a B-frame, position stays */
    bool is_jump;
};

static void learn_nominal(struct timeline *t, double ticks)
{
    if (!t->has_nominal) {
        t->nominal = ticks;
        t->has_nominal = true;
    } else {
        t->nominal += CLAMP(ticks - t->nominal, -t->nominal / 2, t->nominal) / 8;
    }
}

static bool is_believable(const struct timeline *t, double delta, int64_t mono_us)
{
    if (delta <= 0)
        return false;
    if (delta <= MAX_STEP_S * t->timescale)
        return true;
    /* A long pause that the arrival confirms. */
    double elapsed = ticks_of(t, mono_us - t->last_mono_us);
    return delta <= ticks_of(t, MAX_GAP_US) && fabs(delta - elapsed) <= ticks_of(t, AGREE_US);
}

/* Stamps that step back a little and return are B-frames, whatever the parameter sets say (H13). */
static void watch_for_reorder(struct timeline *t, double delta)
{
    if (t->reorder_frames > 0 || t->n_agreeing == 0 || !t->was_only_back)
        return;
    if (++t->n_back < N_BACK)
        return;
    t->nominal = delta / (1 + t->n_agreeing);
    t->reorder_frames = HIDDEN_REORDER;
}

static struct step believe(struct timeline *t, uint32_t rtp, double delta, int64_t mono_us)
{
    watch_for_reorder(t, delta);
    double ticks = MAX(delta - t->owed, 1.0);
    if (t->reorder_frames == 0 && t->owed == 0)
        learn_nominal(t, delta);
    t->last_rtp = rtp;
    t->last_mono_us = mono_us;
    t->owed = 0;
    t->n_agreeing = 0;
    return (struct step){.ticks = ticks};
}

/* Equal stamps (T4) share the time to the next: half of what a step usually is, each. */
static struct step repeat(struct timeline *t)
{
    double ticks = MAX(floor(t->nominal / 2), 1.0);
    t->owed = MIN(t->owed + ticks, MAX_STEP_S * t->timescale);
    return (struct step){.ticks = ticks};
}

static struct step doubt(struct timeline *t, uint32_t rtp, double delta, int64_t mono_us)
{
    double since = (double)(int32_t)(rtp - t->candidate_rtp);
    bool is_back = delta < 0 && delta > -MAX_BACK_S * t->timescale;
    bool agrees = t->n_agreeing > 0 && since > 0 && since <= MAX_STEP_S * t->timescale;
    t->was_only_back = is_back && (t->n_agreeing == 0 || t->was_only_back);
    t->n_agreeing = agrees ? t->n_agreeing + 1 : 1;
    t->candidate_rtp = rtp;
    t->n_outliers++;
    if (t->n_agreeing < N_AGREE) {
        t->owed = MIN(t->owed + t->nominal, MAX_STEP_S * t->timescale);
        return (struct step){.ticks = t->nominal};
    }
    t->last_rtp = rtp;
    t->last_mono_us = mono_us;
    t->owed = 0;
    t->n_agreeing = 0;
    return (struct step){.ticks = t->nominal, .is_jump = true};
}

static struct step step_of(struct timeline *t, uint32_t rtp, int64_t mono_us)
{
    double delta = (double)(int32_t)(rtp - t->last_rtp);
    if (delta == 0)
        return repeat(t);
    if (is_believable(t, delta, mono_us))
        return believe(t, rtp, delta, mono_us);
    if (t->reorder_frames > 0 && delta < 0 && delta > -MAX_BACK_S * t->timescale) {
        t->n_agreeing = 0;
        return (struct step){.ticks = delta};
    }
    return doubt(t, rtp, delta, mono_us);
}

/* --- steering --- */

static bool are_alike(double a, double b)
{
    return fabs(a) >= SLOPE_MIN && fabs(b) >= SLOPE_MIN &&
           fabs(a - b) <= 0.3 * MAX(fabs(a), fabs(b));
}

/* Stamps and arrival drift apart steadily: the speed of the stamps is wrong. One window proves
 * nothing, because a cached group at the start looks the same; later on a link that is too narrow
 * for a while does, and a camera changes its speed twice a day. */
static bool learn_rate(struct timeline *t, double slope)
{
    memmove(t->slopes + 1, t->slopes, sizeof t->slopes - sizeof t->slopes[0]);
    t->slopes[0] = slope;
    int n_needed = t->n_windows <= N_EARLY ? 2 : TIMELINE_SLOPES;
    int n_alike = 1;
    while (n_alike < n_needed && are_alike(t->slopes[n_alike - 1], t->slopes[n_alike]))
        n_alike++;
    if (n_alike < n_needed) {
        /* Finer, once it is known that the stamps are wrong. */
        if (t->rate != 1)
            t->rate /= 1 - CLAMP(slope, -SLOPE_MIN, SLOPE_MIN) / 10;
        return false;
    }
    slope = (t->slopes[0] + t->slopes[1]) / 2;
    t->rate = CLAMP(t->rate / MAX(1 - slope, 0.05), 0.05, 20.0);
    memset(t->slopes, 0, sizeof t->slopes);
    return true;
}

/* Position moves to where the pictures arrive. True when it did. */
static bool catch_up(struct timeline *t, double late)
{
    t->n_late = late > LATE_S * t->timescale ? t->n_late + 1 : 0;
    if (t->n_late < N_LATE)
        return false;
    t->position += late;
    t->n_late = 0;
    t->slew = 0;
    return true;
}

/* At the end of a window. A picture that comes before its time proves the timeline wrong; one that
 * comes late may only have been held up, so lateness is followed slowly until it lasts. True when the
 * timeline jumped. */
static bool steer(struct timeline *t, int64_t mono_us)
{
    struct timeline_window *w = &t->window;
    double span = ticks_of(t, w->least_mono_us - t->before_mono_us);
    double late_s = w->least / t->timescale;
    bool is_learnt = false, is_jump = false;
    t->n_windows++;
    if (t->has_before && span > 0)
        is_learnt =
            learn_rate(t, (w->least - t->before + w->least_applied - t->before_applied) / span);
    t->slew = 0;
    t->n_behind = late_s > DEAD_ZONE_S ? t->n_behind + 1 : 0;
    if (fabs(late_s) > DEAD_ZONE_S) {
        bool is_lasting = late_s < 0 || t->n_windows <= N_EARLY || t->n_behind >= TIMELINE_SLOPES;
        t->slew = CLAMP(late_s / (is_lasting ? SLEW_TIME_S : DOUBT_TIME_S), -0.2, 0.25);
        if (is_lasting && t->n_windows > N_EARLY)
            t->rate *= 1 + 0.02 * CLAMP(late_s, -0.2, 0.2);
        is_jump = catch_up(t, w->least);
    }
    t->n_steered += t->slew != 0 || is_learnt;
    t->has_before = !is_learnt && !is_jump;
    t->before = w->least;
    t->before_mono_us = w->least_mono_us;
    t->before_applied = w->least_applied;
    *w = (struct timeline_window){.from_mono_us = mono_us, .least = INFINITY};
    return is_jump;
}

/* Where decoding should be by now. */
static double arrival_of(const struct timeline *t, int64_t mono_us)
{
    return ticks_of(t, mono_us - t->origin_mono_us);
}

static void move(struct timeline *t, double ticks, int64_t mono_us)
{
    double plain = ticks * t->rate;
    double limit = arrival_of(t, mono_us) + MAX_AHEAD_S * t->timescale + 2 * (double)t->delay;
    double to = t->position + plain * (1 + t->slew);
    to = MAX(MIN(to, limit), t->position + 1);
    t->applied += to - t->position - plain;
    t->scale = (to - t->position) / ticks;
    t->position = to;
}

/* Notes how late the picture came. True when the timeline jumped. */
static bool observe(struct timeline *t, int64_t dts, int64_t mono_us)
{
    struct timeline_window *w = &t->window;
    double late = arrival_of(t, mono_us) - (double)dts;
    w->n++;
    if (late < w->least) {
        w->least = late;
        w->least_mono_us = mono_us;
        w->least_applied = t->applied;
    }
    int64_t length_us = t->n_windows < N_EARLY ? EARLY_WINDOW_US : WINDOW_US;
    if (w->n < WINDOW_MIN || mono_us - w->from_mono_us < length_us)
        return false;
    return steer(t, mono_us);
}

/* --- decode order --- */

/* Takes in a presentation time and gives the decode time: the least of those still waiting. */
static int64_t decode_time(struct timeline *t, int64_t pts)
{
    int i = t->n_waiting++;
    for (; i > 0 && t->waiting[i - 1] > pts; i--)
        t->waiting[i] = t->waiting[i - 1];
    t->waiting[i] = pts;
    int64_t dts = t->waiting[0];
    t->n_waiting--;
    memmove(t->waiting, t->waiting + 1, (size_t)t->n_waiting * sizeof t->waiting[0]);
    return t->last_dts != INT64_MIN ? MAX(dts, t->last_dts + 1) : dts;
}

static int64_t wall_of(struct timeline *t, int64_t dts, int64_t mono_us, int64_t wall_us)
{
    int64_t change = wall_us - mono_us - t->wall_offset_us;
    t->wall_offset_us += change > WALL_STEP_US || change < -WALL_STEP_US ? change : change / 32;
    return t->origin_mono_us + llround((double)dts * (double)US_PER_S / t->timescale) +
           t->wall_offset_us;
}

struct timeline_stamp timeline_next(struct timeline *t, uint32_t rtp_timestamp, int64_t mono_us,
                                    int64_t wall_us)
{
    struct timeline_stamp out = {0};
    double position;
    t->reorder_frames = CLAMP(t->reorder_frames, 0, TIMELINE_MAX_REORDER);
    if (t->is_started && t->reorder_frames > t->n_waiting)
        grow_reorder(t);
    if (!t->is_started) {
        start(t, rtp_timestamp, mono_us, wall_us);
        position = t->position;
    } else {
        struct step step = step_of(t, rtp_timestamp, mono_us);
        out.is_jump = step.is_jump;
        position = t->position + step.ticks * t->scale;
        if (step.ticks > 0) {
            move(t, step.ticks, mono_us);
            position = t->position;
        }
    }
    out.pts = llround(position);
    out.dts = decode_time(t, out.pts);
    if (t->reorder_frames > 0 && t->last_dts != INT64_MIN)
        learn_nominal(t, (double)(out.dts - t->last_dts) / t->rate);
    out.pts = MAX(out.pts, out.dts);
    t->last_dts = out.dts;
    out.is_jump |= observe(t, out.dts, mono_us);
    out.wall_us = wall_of(t, out.dts, mono_us, wall_us);
    return out;
}
