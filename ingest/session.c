#include "ingest/session.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAX_SKIPPED_BYTES (1u << 20)
#define MAX_LOSSES        5
#define WINDOW_US         (60 * US_PER_S)

void session_init(struct session *s, const struct session_ops *ops, const struct session_host *host,
                  void *ctx)
{
    s->ops = ops;
    s->host = host;
    s->ctx = ctx;
    rtsp_parser_init(&s->parser);
    buf_init(&s->out, SESSION_OUT_BYTES);
}

void session_fini(struct session *s)
{
    buf_fini(&s->out);
}

void session_note_audio(struct session *s, const struct sdp *sdp)
{
    bool all_sendonly = true;
    for (size_t i = 0; i < sdp->n_medias; i++)
        all_sendonly = all_sendonly && sdp->medias[i].is_sendonly;
    for (size_t i = 0; i < sdp->n_medias; i++) {
        const struct sdp_media *m = &sdp->medias[i];
        if (!m->is_audio || (m->is_sendonly && !all_sendonly))
            continue;
        str_copy(s->other_audio, sizeof s->other_audio, m->name[0] ? m->name : "unknown");
        return;
    }
}

bool session_skipped(struct session *s, int64_t mono_us, const struct rtsp_item *item)
{
    if (mono_us - s->window_us > WINDOW_US) {
        s->window_us = mono_us;
        s->window_losses = 0;
        s->window_skipped_bytes = 0;
    }
    s->window_losses += item->is_new_loss;
    s->window_skipped_bytes += item->n_skipped;
    return s->window_skipped_bytes > MAX_SKIPPED_BYTES || s->window_losses > MAX_LOSSES;
}

void session_destroy(struct session **sp)
{
    struct session *s = *sp;
    *sp = NULL;
    if (s)
        s->ops->destroy(s);
}

enum session_phase session_phase(const struct session *s)
{
    return s->ops->phase(s);
}

size_t session_input(struct session *s, int64_t mono_us, const uint8_t *p, size_t n)
{
    return s->ops->input(s, mono_us, p, n);
}

void session_closed(struct session *s, enum stream_cause cause, const char *what)
{
    s->ops->closed(s, cause, what);
}

int64_t session_due_us(const struct session *s)
{
    return s->ops->due_us(s);
}

void session_timeout(struct session *s, int64_t mono_us)
{
    s->ops->timeout(s, mono_us);
}

void session_probe(struct session *s, int64_t mono_us)
{
    s->ops->probe(s, mono_us);
}

void session_stop(struct session *s, int64_t mono_us)
{
    s->ops->stop(s, mono_us);
}

void session_report(struct session *s, int track, const uint8_t *p, size_t n)
{
    assert(track >= 0 && track < s->n_tracks);
    const struct session_track *t = &s->tracks[track];
    if (session_phase(s) != SESSION_PLAYING || !t->is_tcp || n > UINT16_MAX ||
        s->out.len + n > SESSION_OUT_BYTES / 2)
        return;
    uint8_t head[4];
    rtsp_frame_head(head, t->channel[1], (uint16_t)n);
    buf_append(&s->out, head, sizeof head);
    buf_append(&s->out, p, n);
}
