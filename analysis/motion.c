#include "analysis/motion.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Residuals and noise are in luma steps of 8 bit. Values found with motion_bench on labelled
 * pictures. */
#define RESIDUAL_MIN     3.0f /* less is never motion */
#define RESIDUAL_SIGMA   6.0f /* times the noise of block and picture */
#define NOISE_START      0.7f /* of a block mean, before it is known */
#define NOISE_MAX        4.0f /* what a block that never rests may claim */
#define STRENGTH_MIN     3.0f /* of an object: sum of residual / threshold over its blocks */
#define CHANGE_SHARE     0.5f /* more of the picture at once is another scene, not motion */
#define HISTOGRAM_BINS   1024
#define WHITE            245.f /* a block so bright is clipped in parts */
#define GAIN_MIN         0.2f  /* of light; beyond these it is another scene */
#define GAIN_MAX         5.0f
#define LEARN_STILL_S    20.f  /* time constants: where nothing moves, */
#define LEARN_STANDING_S 60.f  /* where something stands that was not there, */
#define LEARN_LIGHT_S    120.f /* towards today's light */
#define LEARN_NOISE_S    60.f  /* and of the noise */

struct motion {
    uint16_t cols, rows;
    int n_seen; /* pictures behind the background; 0 = none yet */
    int64_t last_us;
    float *background; /* one allocation for the three of them */
    float *noise;      /* standard deviation of the residual */
    float *previous;
};

/* One update's own. */
struct work {
    float now[GRID_MAX_BLOCKS];
    float residual[GRID_MAX_BLOCKS]; /* against the background in today's light */
    float outside[GRID_MAX_BLOCKS];  /* of all that light can explain */
    float change[GRID_MAX_BLOCKS];   /* against the previous picture */
    float limit[GRID_MAX_BLOCKS];
    float fit_ref[GRID_MAX_BLOCKS], fit_now[GRID_MAX_BLOCKS];
    uint8_t is_hot[GRID_MAX_BLOCKS];
    uint16_t stack[GRID_MAX_BLOCKS];
};

struct light {
    float gain, offset;
};

struct object {
    int n_blocks;
    int left, top, right, bottom; /* inclusive */
    float strength;
    bool is_changing; /* differs from the previous picture too */
    /* sums for the question whether it is only light that changed there */
    double sx, sy, sxx, sxy, syy;
};

struct motion *motion_create(void)
{
    return xcalloc(1, sizeof(struct motion));
}

void motion_destroy(struct motion **m)
{
    if (*m)
        free((*m)->background);
    FREE(m);
}

/* The value below which half of |values| lie. In bins, as sorting would cost more than all the
 * rest; `bins_per_step` bins per luma step. */
static float median_of(const float *values, size_t n, int bins_per_step)
{
    uint16_t bins[HISTOGRAM_BINS] = {0};
    for (size_t i = 0; i < n; i++) {
        float bin = fabsf(values[i]) * (float)bins_per_step;
        bins[bin < HISTOGRAM_BINS - 1 ? (int)bin : HISTOGRAM_BINS - 1]++;
    }
    size_t below = 0;
    int i = 0;
    while (i < HISTOGRAM_BINS - 1 && (below += bins[i]) <= n / 2)
        i++;
    return ((float)i + 0.5f) / (float)bins_per_step;
}

/* Robust standard deviation around 0. */
static float spread_of(const float *values, size_t n)
{
    return 1.48f * median_of(values, n, HISTOGRAM_BINS / 32);
}

static struct light fit_once(const float *ref, const float *now, const float *residual, float limit,
                             size_t n)
{
    double k = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (size_t i = 0; i < n; i++) {
        if (fabsf(residual[i]) > limit)
            continue;
        k += 1;
        sx += ref[i];
        sy += now[i];
        sxx += (double)ref[i] * ref[i];
        sxy += (double)ref[i] * now[i];
    }
    double det = k * sxx - sx * sx;
    if (k < 8)
        return (struct light){1, 0};
    if (det < k * k) /* no contrast to tell gain from offset */
        return (struct light){1, (float)((sy - sx) / k)};
    double gain = (k * sxy - sx * sy) / det;
    gain = CLAMP(gain, GAIN_MIN, GAIN_MAX);
    return (struct light){(float)gain, (float)((sy - gain * sx) / k)};
}

/* The blocks that can tell about light: not those that are white before or after, unless nearly all
 * are. Returns how many. */
static size_t choose_blocks(struct work *w, const float *ref, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (w->now[i] > WHITE || ref[i] > WHITE)
            continue;
        w->fit_ref[k] = ref[i];
        w->fit_now[k++] = w->now[i];
    }
    if (k >= n / 8)
        return k;
    memcpy(w->fit_ref, ref, n * sizeof *ref);
    memcpy(w->fit_now, w->now, n * sizeof *w->now);
    return n;
}

/* Fits now = gain * ref + offset, leaving out what does not fit; residual gets the differences.
 * Starts from the ratio of the medians, so that a large object does not pull the fit. Returns the
 * spread. */
static float fit_light(struct work *w, const float *ref, size_t n, float *residual,
                       struct light *out)
{
    size_t k = choose_blocks(w, ref, n);
    float ref_mid = median_of(w->fit_ref, k, HISTOGRAM_BINS / 256);
    float now_mid = median_of(w->fit_now, k, HISTOGRAM_BINS / 256);
    float gain = ref_mid > 1 ? CLAMP(now_mid / ref_mid, GAIN_MIN, GAIN_MAX) : 1;
    struct light light = {gain, now_mid - gain * ref_mid};
    float spread = 0;
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < k; i++)
            residual[i] = w->fit_now[i] - light.gain * w->fit_ref[i] - light.offset;
        spread = spread_of(residual, k);
        if (round < 4)
            light = fit_once(w->fit_ref, w->fit_now, residual, 3 * spread + 0.5f, k);
    }
    for (size_t i = 0; i < n; i++)
        residual[i] = w->now[i] - light.gain * ref[i] - light.offset;
    *out = light;
    return spread;
}

/* What of `apart` (from the block in full light) is left when the light may have reached it only in
 * part: `unchanged` is how far the block is from what it was. */
static float beyond_light(float apart, float unchanged)
{
    if (apart * unchanged <= 0)
        return 0; /* between both */
    return fabsf(unchanged) < fabsf(apart) ? unchanged : apart;
}

/* Light that changes does not reach everything, and what is clipped or bent changes less: all
 * between the block as it was and as the fit predicts it is light. Leaves what is not. */
static void keep_unexplained(const struct work *w, const float *ref, float *residual, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_white = w->now[i] > WHITE && ref[i] > WHITE;
        float unchanged = is_white ? 0 : w->now[i] - MIN(ref[i], WHITE);
        residual[i] = beyond_light(residual[i], unchanged);
    }
}

static float learn_rate(float dt_s, float constant_s, int n_seen)
{
    float rate = 1 - expf(-dt_s / constant_s);
    return MAX(rate, 1.0f / (float)(n_seen + 1)); /* a plain mean at first */
}

static void start_anew(struct motion *m, const struct work *w, const struct luma_grid *grid,
                       size_t n)
{
    free(m->background);
    m->background = xmalloc(3 * n * sizeof *m->background);
    m->noise = m->background + n;
    m->previous = m->noise + n;
    m->cols = grid->cols;
    m->rows = grid->rows;
    m->n_seen = 1;
    for (size_t i = 0; i < n; i++) {
        m->background[i] = m->previous[i] = w->now[i];
        m->noise[i] = NOISE_START;
    }
}

static size_t mark_hot(const struct motion *m, struct work *w, size_t n, float spread)
{
    size_t n_hot = 0;
    for (size_t i = 0; i < n; i++) {
        w->limit[i] = MAX(RESIDUAL_MIN, RESIDUAL_SIGMA * MAX(m->noise[i], spread));
        w->is_hot[i] = fabsf(w->outside[i]) > w->limit[i];
        n_hot += w->is_hot[i];
    }
    return n_hot;
}

static void object_add(struct object *o, const struct motion *m, const struct work *w, int i)
{
    int x = i % m->cols, y = i / m->cols;
    o->left = MIN(o->left, x);
    o->right = MAX(o->right, x);
    o->top = MIN(o->top, y);
    o->bottom = MAX(o->bottom, y);
    o->n_blocks++;
    o->strength += fabsf(w->outside[i]) / w->limit[i];
    o->is_changing |= fabsf(w->change[i]) > w->limit[i];
    double ref = m->background[i], now = w->now[i];
    o->sx += ref;
    o->sy += now;
    o->sxx += ref * ref;
    o->sxy += ref * now;
    o->syy += now * now;
}

/* The connected blocks around `first`; clears their marks (to 2: visited). */
static struct object collect_object(const struct motion *m, struct work *w, int first)
{
    const int cols = m->cols, rows = m->rows;
    struct object o = {.left = cols, .top = rows};
    size_t n_stack = 0;
    w->stack[n_stack++] = (uint16_t)first;
    w->is_hot[first] = 2;
    while (n_stack > 0) {
        int i = w->stack[--n_stack];
        object_add(&o, m, w, i);
        int x = i % cols, y = i / cols;
        for (int ny = MAX(y - 1, 0); ny <= MIN(y + 1, rows - 1); ny++) {
            for (int nx = MAX(x - 1, 0); nx <= MIN(x + 1, cols - 1); nx++) {
                int k = ny * cols + nx;
                if (w->is_hot[k] != 1)
                    continue;
                w->is_hot[k] = 2;
                w->stack[n_stack++] = (uint16_t)k;
            }
        }
    }
    return o;
}

/* A lamp or a shadow keeps the pattern below it: then the object is explained by a light of its
 * own. Only what has a pattern and some size can tell. */
static bool is_only_light(const struct object *o)
{
    double n = o->n_blocks;
    if (n < 24)
        return false;
    double var_ref = o->sxx / n - (o->sx / n) * (o->sx / n);
    double var_now = o->syy / n - (o->sy / n) * (o->sy / n);
    double cov = o->sxy / n - (o->sx / n) * (o->sy / n);
    if (var_ref < 64 || var_now < 16 || cov <= 0)
        return false;
    return cov * cov > 0.96 * var_ref * var_now;
}

static void find_objects(const struct motion *m, struct work *w, size_t n,
                         struct motion_result *out)
{
    assert(m->cols > 0 && m->rows > 0);
    int left = m->cols, top = m->rows, right = -1, bottom = -1, n_blocks = 0;
    for (size_t i = 0; i < n; i++) {
        if (w->is_hot[i] != 1)
            continue;
        struct object o = collect_object(m, w, (int)i);
        if (o.strength < STRENGTH_MIN || !o.is_changing || is_only_light(&o))
            continue;
        left = MIN(left, o.left);
        top = MIN(top, o.top);
        right = MAX(right, o.right);
        bottom = MAX(bottom, o.bottom);
        n_blocks += o.n_blocks;
    }
    if (n_blocks == 0)
        return;
    out->is_motion = true;
    out->score = sqrt((double)n_blocks / (double)n);
    out->x = (double)left / m->cols;
    out->y = (double)top / m->rows;
    out->w = (double)(right - left + 1) / m->cols;
    out->h = (double)(bottom - top + 1) / m->rows;
}

/* The background keeps the light it was seen in and follows today's only slowly: what is clipped
 * now must be there again when the light goes. It learns what it sees, but not where things move.
 */
static void learn(struct motion *m, const struct work *w, size_t n, float dt_s, struct light light)
{
    float still = learn_rate(dt_s, LEARN_STILL_S, m->n_seen);
    float standing = learn_rate(dt_s, LEARN_STANDING_S, 60);
    float carry = learn_rate(dt_s, LEARN_LIGHT_S, 60);
    float noise = learn_rate(dt_s, LEARN_NOISE_S, 30);
    for (size_t i = 0; i < n; i++) {
        bool is_moving = w->is_hot[i] && fabsf(w->change[i]) > w->limit[i];
        bool is_plain = fabsf(w->residual[i]) <= w->limit[i];
        float rate = is_moving ? 0 : is_plain ? still : standing;
        float bg = m->background[i] + rate * w->residual[i] / light.gain;
        bg += carry * (light.gain * bg + light.offset - bg);
        m->background[i] = CLAMP(bg, -64.f, 320.f);
        float seen = MIN(1.25f * fabsf(w->outside[i]), NOISE_MAX);
        m->noise[i] += noise * (seen - m->noise[i]);
    }
    if (m->n_seen < 1000)
        m->n_seen++;
}

void motion_update(struct motion *m, const struct luma_grid *grid, int64_t wall_us,
                   struct motion_result *out)
{
    struct work work, *w = &work; /* some 190 KB; every camera needs it, one at a time */
    *out = (struct motion_result){0};
    size_t n = (size_t)grid->cols * grid->rows;
    if (grid->cols == 0 || grid->rows == 0 || n > GRID_MAX_BLOCKS)
        return;
    for (size_t i = 0; i < n; i++)
        w->now[i] = (float)grid->mean[i] / 256.0f;
    float dt_s = CLAMP((float)(wall_us - m->last_us) / (float)US_PER_S, 0.1f, 10.0f);
    m->last_us = wall_us;
    if (m->n_seen == 0 || grid->cols != m->cols || grid->rows != m->rows) {
        start_anew(m, w, grid, n);
        out->is_learning = true;
        return;
    }

    struct light light, step;
    fit_light(w, m->previous, n, w->change, &step);
    float spread = fit_light(w, m->background, n, w->residual, &light);
    keep_unexplained(w, m->previous, w->change, n);
    memcpy(w->outside, w->residual, n * sizeof *w->outside);
    keep_unexplained(w, m->background, w->outside, n);
    size_t n_hot = mark_hot(m, w, n, spread);
    bool is_other = light.gain <= GAIN_MIN || light.gain >= GAIN_MAX;
    if (is_other || (float)n_hot > CHANGE_SHARE * (float)n) {
        start_anew(m, w, grid, n);
        out->is_learning = true;
        return;
    }
    find_objects(m, w, n, out);
    learn(m, w, n, dt_s, light);
    memcpy(m->previous, w->now, n * sizeof *m->previous);
}
