/* Quirk K6: a camera goes on sending the session of a client that has vanished, into the TCP
 * connection that we have opened since, until that breaks.
 *
 *   TCP broke ─► UDP, within 2 s ─► pictures: stays; UDP again until the older session has surely
 *       ▲          │ (auto only)              expired, TCP from then on
 *       └──────────┴─ refused, or nothing comes: TCP when the older session has expired
 *
 * The older session is one of ours, so it began to expire before our connection did; 65 s after
 * its packets were seen it is gone, whatever has happened since. */
#include "base/mem.h"
#include "ingest/stream_priv.h"

/* Until a camera forgets a session whose connection is gone. */
#define STALE_US (65 * US_PER_S)

/* When the session that spoilt this connection will have expired; 0 = none did. */
static int64_t spoilt_until_us(const struct stream *s)
{
    int64_t now_us = loop_mono_us(s->loop);
    if (!s->session || s->session->n_early == 0)
        return 0;
    if (s->state == STREAM_HANDSHAKE)
        return now_us + STALE_US;
    int64_t until_us = s->playing_mono_us + STALE_US;
    return s->state == STREAM_PLAYING && until_us > now_us ? until_us : 0;
}

/* A connection that breaks, not a camera that says no: to UDP it would say the same. */
static bool is_broken(const struct stream *s, enum stream_cause cause)
{
    return s->session->end.status == 0 && (cause == CAUSE_REFUSED || cause == CAUSE_UNREACHABLE ||
                                           cause == CAUSE_TIMEOUT || cause == CAUSE_PROTOCOL);
}

static bool may_avoid_tcp(const struct stream *s)
{
    return s->config.transport == TRANSPORT_AUTO && !s->is_udp && !s->memory.no_udp &&
           stream__may_use_udp(s);
}

static void back_to_tcp(struct stream *s)
{
    s->is_udp = false;
    s->stale_until_us = 0;
}

/* What will not be otherwise the next time: it was refused, or held back on its way. */
static bool is_udp_hopeless(const struct stream *s)
{
    bool is_held_back = s->state == STREAM_PLAYING && stream__has_answered_probe(s) &&
                        receiver_stats(s->receiver)->picture_mono_us == 0;
    return is_held_back || s->session->end.status == 461;
}

static int64_t plan_after_udp(struct stream *s, int64_t delay_us, const char **note)
{
    int64_t left_us = s->stale_until_us - loop_mono_us(s->loop);
    bool has_failed = s->session && !s->is_up; /* without a session nothing was heard of UDP */
    if (has_failed && left_us > 0) {
        delay_us = MAX(delay_us, left_us);
        *note = "; TCP again when the older session has expired";
    }
    if (has_failed)
        s->memory.no_udp = is_udp_hopeless(s);
    if (has_failed || delay_us >= left_us)
        back_to_tcp(s);
    return delay_us;
}

int64_t stream__plan_around_stale(struct stream *s, enum stream_cause cause, int64_t delay_us,
                                  const char **note)
{
    *note = "";
    if (s->stale_until_us > 0)
        return plan_after_udp(s, delay_us, note);
    int64_t until_us = spoilt_until_us(s);
    if (until_us == 0)
        return delay_us;
    if (is_broken(s, cause) && may_avoid_tcp(s)) {
        s->is_udp = true;
        s->stale_until_us = until_us;
        *note = "; packets of an older session arrived on our connection";
        return backoff_spread(&s->backoff);
    }
    *note = "; packets of an older session arrived on our connection, and it must expire first";
    return MAX(delay_us, until_us - loop_mono_us(s->loop));
}

void stream__settle_transport(struct stream *s)
{
    if (s->stale_until_us > 0 && loop_mono_us(s->loop) >= s->stale_until_us)
        back_to_tcp(s);
}
