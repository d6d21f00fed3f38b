#include "media/timeline.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SHORT_STEP_S   0.5 /* between stamps that need no proof */
#define SHORT_STEPS    3
#define MAX_STEP_S     5.0 /* that is not a new start */
#define MAX_GAP_US     (60 * US_PER_S)
#define MAX_BACK_S     0.5 /* of a B-frame */
#define AGREE_US       US_PER_S
#define N_AGREE        3
#define N_BACK         3
#define HIDDEN_REORDER 2 /* B-frames found out by their stamps */
#define MAX_AHEAD_S    0.15
#define WALL_STEP_US   (US_PER_S / 2)

#define WINDOW_US    US_PER_S
#define WINDOW_MIN   4
#define DEAD_ZONE_S  0.02 /* of the anchor */
#define NEAR_S       0.12 /* of it too: no hurry */
#define NEAR_PULL    0.001
#define PULL_TIME_S  2.0
#define MAX_PULL     2.0
#define DOUBT_PULL   0.01
#define N_LASTING    5 /* windows after which lateness does not pass */
#define LATE_S       2.0
#define N_LATE       3
#define SETTLE_US    (5 * US_PER_S) /* a backlog at the start is over */
#define STEER_S      0.15           /* off home by so much: begin to steer */
#define STEER_LIAR_S 0.08           /* the same for a camera whose stamps run wrong */
#define STEERED_S    0.02           /* end */
#define LARGE_S      1.0            /* no longer gently */
#define RECOVER_US   (120 * US_PER_S)
#define RECOVER_S    0.2
#define STEER_SHARE  0.005 /* of a step, for a camera that keeps time */
#define STEER_WRONG  0.05  /* for another */
#define EVIDENCE_US  (5 * US_PER_S)
#define EVIDENCE_MIN 6     /* windows */
#define EVIDENCE_S   0.2   /* apart */
#define STRAIGHT_S   0.08  /* off the straight line */
#define NEAR_ONE     0.002 /* a rate as near to 1 is 1 */

void timeline_init(struct timeline *t, uint32_t timescale, int reorder_frames)
{
    *t = (struct timeline){.timescale = timescale ? timescale : 90000,
                           .reorder_frames = CLAMP(reorder_frames, 0, TIMELINE_MAX_REORDER)};
    t->nominal = t->timescale / 25.0;
    t->rate = t->rate_before = t->scale = 1;
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
    t->last_wall_us = INT64_MIN;
    t->window_from_us = mono_us;
    t->least.late = INFINITY;
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
    if (delta <= MAX(SHORT_STEP_S * t->timescale, SHORT_STEPS * t->nominal))
        return true;
    /* A pause that the arrival confirms. */
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
    if (delta > t->owed && delta <= MAX_STEP_S * t->timescale) /* pictures were left out */
        return believe(t, rtp, delta, mono_us);
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

/* --- another speed --- */

/* How late the picture would have come if nothing had been steered. */
static double raw(const struct timeline_point *p)
{
    return p->late + p->applied;
}

/* Keeps about the last minute. */
static void remember(struct timeline *t, const struct timeline_point *p)
{
    if (t->n_points == TIMELINE_POINTS) {
        t->n_points--;
        memmove(t->points, t->points + 1, (size_t)t->n_points * sizeof t->points[0]);
    }
    t->points[t->n_points++] = *p;
}

/* How fast the points from the i-th on part from arrival, when they do so steadily; else 0. */
static double slope_from(const struct timeline *t, int i, const struct timeline_point *now)
{
    const struct timeline_point *from = &t->points[i];
    double apart = raw(now) - raw(from);
    double span = ticks_of(t, now->mono_us - from->mono_us);
    if (fabs(apart) <= EVIDENCE_S * t->timescale || span < ticks_of(t, EVIDENCE_US))
        return 0;
    double slope = apart / span;
    double most = MIN(fabs(apart) / 4, STRAIGHT_S * t->timescale);
    while (++i < t->n_points) {
        double x = ticks_of(t, t->points[i].mono_us - from->mono_us);
        if (fabs(raw(&t->points[i]) - raw(from) - slope * x) > most)
            return 0;
    }
    return slope;
}

static void set_rate(struct timeline *t, double rate)
{
    rate = CLAMP(rate, 0.05, 20.0);
    t->rate = fabs(rate - 1) < NEAR_ONE ? 1 : rate;
    t->n_points = 0;
}

/* Stamps and arrival part steadily: the speed of the stamps is wrong. A step, a stall or a link
 * that is too narrow for a while is no straight line. */
static bool learn_rate(struct timeline *t, const struct timeline_point *now)
{
    double slope = 0;
    for (int i = 0; i <= t->n_points - EVIDENCE_MIN && slope == 0; i++)
        slope = slope_from(t, i, now);
    if (slope != 0) {
        t->rate_before = t->rate;
        t->learnt_mono_us = now->mono_us;
        t->recovered = 0;
        t->home = 0; /* what looked like a backlog */
        set_rate(t, t->rate / MAX(1 - slope, 0.05));
    }
    remember(t, now);
    return slope != 0;
}

/* --- steering --- */

/* Where decoding should be by now. */
static double arrival_of(const struct timeline *t, int64_t mono_us)
{
    return ticks_of(t, mono_us - t->origin_mono_us);
}

/* Position moves by what the stamp says, and a little more or less while it is off home. */
static void move(struct timeline *t, double ticks)
{
    double plain = ticks * t->rate;
    double debt = t->anchor - t->home;
    if (fabs(debt) > (t->rate == 1 ? STEER_S : STEER_LIAR_S) * t->timescale)
        t->is_steering = true;
    else if (fabs(debt) < STEERED_S * t->timescale)
        t->is_steering = false;
    bool is_gentle = t->rate == 1 && fabs(debt) < LARGE_S * t->timescale;
    double most = t->is_steering ? plain * (is_gentle ? STEER_SHARE : STEER_WRONG) : 0;
    double extra = MAX(plain + CLAMP(debt, -most, most), 1.0) - plain;
    t->position += plain + extra;
    t->scale = (plain + extra) / ticks;
    t->applied += extra;
    t->anchor -= extra;

    double most_pull = t->pull * plain;
    double pull = CLAMP(t->pull_left, -most_pull, most_pull);
    t->anchor += pull;
    t->pull_left -= pull;
}

/* What looked like slow stamps was a link that was too narrow: the rest comes now, all at once. */
static void recover(struct timeline *t, double early, int64_t mono_us)
{
    if (t->rate <= t->rate_before || mono_us - t->learnt_mono_us > RECOVER_US)
        return;
    t->recovered += early;
    if (t->recovered > RECOVER_S * t->timescale) {
        set_rate(t, t->rate_before);
        t->rate_before = t->rate;
    }
}

/* Pictures that come before their time prove the anchor wrong at once. At the start that was a
 * backlog, which is no drift. */
static void bound_anchor(struct timeline *t, double late, int64_t mono_us)
{
    double early = t->anchor - (late + MAX_AHEAD_S * t->timescale);
    if (early > 0) {
        t->anchor -= early;
        recover(t, early, mono_us);
    }
    if (mono_us - t->origin_mono_us < SETTLE_US)
        t->home = MIN(t->home, t->anchor);
}

/* Stamps that missed time move to where the pictures arrive. Lateness that still grows is another
 * speed. True when position jumped. */
static bool catch_up(struct timeline *t, double late)
{
    bool is_steady = fabs(late - t->last_late) < EVIDENCE_S * t->timescale;
    t->n_late = late <= LATE_S * t->timescale ? 0 : is_steady ? t->n_late + 1 : 1;
    t->last_late = late;
    if (t->n_late < N_LATE)
        return false;
    t->position += late;
    t->applied += late;
    t->n_late = 0;
    return true;
}

/* How fast the anchor moves. A little off is made good so slowly that three seconds of clock time
 * still have their number of pictures. What comes late may only have been held up. */
static double pull_of(const struct timeline *t, double late, bool is_learnt)
{
    double late_s = late / t->timescale;
    if (fabs(late_s) <= NEAR_S)
        return NEAR_PULL;
    bool is_lasting = is_learnt || t->n_behind >= N_LASTING;
    return is_lasting ? MIN(fabs(late_s) / PULL_TIME_S, MAX_PULL) : DOUBT_PULL;
}

/* At the end of a window. True when the timeline jumped. */
static bool end_window(struct timeline *t)
{
    bool is_learnt = learn_rate(t, &t->least);
    double late = raw(&t->least) - t->applied - t->anchor;
    double dead_zone = DEAD_ZONE_S * t->timescale;
    t->n_behind = late > NEAR_S * t->timescale ? t->n_behind + 1 : 0;
    t->n_steered += is_learnt || t->is_steering;
    t->pull = t->pull_left = 0;
    if (catch_up(t, late))
        return true;
    if (fabs(late) > dead_zone) {
        t->pull = pull_of(t, late, is_learnt);
        t->pull_left = late;
    }
    return false;
}

/* Notes how late the picture came. True when the timeline jumped. */
static bool observe(struct timeline *t, int64_t dts, int64_t mono_us)
{
    double late = arrival_of(t, mono_us) - (double)dts;
    bound_anchor(t, late, mono_us);
    if (late < t->least.late)
        t->least = (struct timeline_point){mono_us, late, t->applied};
    if (++t->n_in_window < WINDOW_MIN || mono_us - t->window_from_us < WINDOW_US)
        return false;
    bool is_jump = end_window(t);
    t->window_from_us = mono_us;
    t->n_in_window = 0;
    t->least.late = INFINITY;
    return is_jump;
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
    bool is_step = change > WALL_STEP_US || change < -WALL_STEP_US;
    t->wall_offset_us += is_step ? change : change / 32;
    double at_us = ((double)dts + t->anchor) * (double)US_PER_S / t->timescale;
    int64_t wall = t->origin_mono_us + llround(at_us) + t->wall_offset_us;
    t->last_wall_us = is_step ? wall : MAX(wall, t->last_wall_us);
    return t->last_wall_us;
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
            move(t, step.ticks);
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
