#include "analysis/motion_events.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define QUIET_DEFAULT_US  (8 * US_PER_S)
#define UPDATE_DEFAULT_US (5 * US_PER_S)
#define MAX_DEFAULT_US    (600 * US_PER_S)

void motion_events_init(struct motion_events *m, const struct motion_events_params *params)
{
    *m = (struct motion_events){.params = *params};
    str_copy(m->ev.camera_id, sizeof m->ev.camera_id, params->camera_id);
    m->params.camera_id = NULL; /* need only live during the call */
    if (m->params.quiet_us <= 0)
        m->params.quiet_us = QUIET_DEFAULT_US;
    if (m->params.update_us <= 0)
        m->params.update_us = UPDATE_DEFAULT_US;
    if (m->params.max_us <= 0)
        m->params.max_us = MAX_DEFAULT_US;
}

static void tell(struct motion_events *m, enum motion_change change)
{
    m->last_update_us = m->ev.to_us;
    m->params.fn(m->params.ctx, change, &m->ev);
}

static void open_event(struct motion_events *m, const struct motion_result *r, int64_t wall_us)
{
    m->ev.type = EVENT_MOTION;
    m->ev.is_open = true;
    m->ev.from_us = m->ev.to_us = wall_us;
    m->ev.score = r->score;
    m->ev.x = r->x;
    m->ev.y = r->y;
    m->ev.w = r->w;
    m->ev.h = r->h;
    tell(m, MOTION_OPENED);
}

static void extend_event(struct motion_events *m, const struct motion_result *r, int64_t wall_us)
{
    struct event *ev = &m->ev;
    double right = MAX(ev->x + ev->w, r->x + r->w);
    double bottom = MAX(ev->y + ev->h, r->y + r->h);
    ev->x = MIN(ev->x, r->x);
    ev->y = MIN(ev->y, r->y);
    ev->w = right - ev->x;
    ev->h = bottom - ev->y;
    ev->score = MAX(ev->score, r->score);
    ev->to_us = MAX(ev->to_us, wall_us);
    if (ev->to_us - m->last_update_us >= m->params.update_us)
        tell(m, MOTION_UPDATED);
}

void motion_events_end(struct motion_events *m)
{
    if (!m->ev.is_open)
        return;
    m->ev.is_open = false;
    tell(m, MOTION_CLOSED);
}

/* With key frames far apart, quiet means at least two still pictures. */
static int64_t quiet_us(const struct motion_events *m)
{
    return MAX(m->params.quiet_us, 2 * m->interval_us);
}

void motion_events_tick(struct motion_events *m, int64_t now_us)
{
    if (m->ev.is_open && now_us - m->ev.to_us > quiet_us(m))
        motion_events_end(m);
}

void motion_events_add(struct motion_events *m, const struct motion_result *r, int64_t wall_us)
{
    if (m->last_picture_us != 0 && wall_us < m->last_picture_us)
        motion_events_end(m); /* the clock stepped back: times of one event stay in order */
    else if (m->last_picture_us != 0)
        m->interval_us +=
            (CLAMP(wall_us - m->last_picture_us, 0, 60 * US_PER_S) - m->interval_us) / 4;
    m->last_picture_us = wall_us;

    motion_events_tick(m, wall_us);
    if (m->ev.is_open && wall_us - m->ev.from_us > m->params.max_us)
        motion_events_end(m);
    if (!r->is_motion)
        return;
    if (m->ev.is_open)
        extend_event(m, r, wall_us);
    else
        open_event(m, r, wall_us);
}
