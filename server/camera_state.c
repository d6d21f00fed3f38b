#include "server/camera_state.h"

#include "base/str.h"

void camera_state_off(struct camera_state *st, const char *camera_id, const char *stream)
{
    *st = (struct camera_state){.cause = CAUSE_DISABLED};
    str_copy(st->camera_id, sizeof st->camera_id, camera_id);
    str_copy(st->stream, sizeof st->stream, stream);
    str_copy(st->detail, sizeof st->detail, "switched off by the administrator");
}

void camera_state_take_stream(struct camera_state *st, const struct stream_status *s)
{
    str_copy(st->stream, sizeof st->stream, s->name);
    str_copy(st->detail, sizeof st->detail, s->detail);
    st->cause = s->cause;
    st->since_us = s->since_us;
    st->is_reachable = s->is_reachable;
    st->is_advancing = s->is_advancing;
    st->reachable_us = s->reachable_us;
    st->advancing_us = s->advancing_us;
    st->retry_us = s->retry_us;
    st->fps = s->fps;
    st->bitrate_bps = s->bitrate_bps;
    st->gop_s = s->gop_s;
    st->codec = s->codec;
    st->width = s->width;
    st->height = s->height;
    st->n_reconnects = s->n_reconnects;
    st->n_lost_packets = s->n_lost_packets;
    st->n_resyncs = s->n_resyncs;
    st->n_damaged = s->n_damaged;
    st->n_unrequested = s->n_unrequested;
    st->clock_offset_s = s->clock_offset_s;
    st->has_clock_offset = s->has_clock_offset;
    st->has_audio = s->has_audio;
    st->sound = s->sound;
}

bool camera_state_take_recorder(struct camera_state *st, const struct pull *p, bool is_first)
{
    const struct recorder_status *r = p != NULL ? pull_recorder(p) : NULL;
    if (r == NULL)
        return false;
    if (is_first)
        st->recorded_us = r->recorded_us;
    if (r->is_recording && pull_status(p)->is_advancing)
        return true;
    if (pull_status(p)->cause == CAUSE_OK && r->detail[0] != '\0' && st->cause == CAUSE_OK) {
        st->cause = CAUSE_DISK;
        str_copy(st->detail, sizeof st->detail, r->detail);
    }
    return false;
}

bool camera_state_differs(const struct camera_state *a, const struct camera_state *b)
{
    return a->cause != b->cause || a->is_reachable != b->is_reachable ||
           a->is_advancing != b->is_advancing || a->is_recording != b->is_recording ||
           a->is_recording_asked != b->is_recording_asked;
}
