/* How a try ends: what a failure means, how long to wait after it, what is said about it, and what
 * follows from the verdict of a session. */
#include <assert.h>
#include <stdarg.h>

#include "base/log.h"
#include "base/mem.h"
#include "ingest/stream_priv.h"

#define MAX_REDIRECTS 3

/* What the network said, not the camera. */
static bool is_of_network(enum stream_cause cause)
{
    return cause == CAUSE_DNS || cause == CAUSE_REFUSED || cause == CAUSE_UNREACHABLE ||
           cause == CAUSE_TIMEOUT;
}

/* The fact, and what happens next. */
static void print_failure(const struct stream *s, enum stream_cause cause, int64_t delay_us,
                          char *dst, size_t cap)
{
    long long delay_s = (delay_us + US_PER_S / 2) / US_PER_S;
    const char *why =
        cause == CAUSE_AUTH && delay_s >= 120 ? " so that the camera does not lock us out" : "";
    if (stream__is_pushed(s))
        snprintf(dst, cap, "%.199s; waits for the encoder to push again", s->fact);
    else if (delay_s >= 120)
        snprintf(dst, cap, "%.180s; next try in %lld min%s", s->fact, (delay_s + 30) / 60, why);
    else
        snprintf(dst, cap, "%.199s; %s in %lld s", s->fact,
                 s->stale_until_us > 0 ? "trying UDP" : "next try", MAX(delay_s, 1));
}

/* Later than this stream would try: others of the device were refused the same. */
static int64_t tell_refusal(struct stream *s, int64_t delay_us)
{
    int64_t now_us = loop_mono_us(s->loop);
    if (!s->gate || !stream__login(s))
        return delay_us;
    return gate_login_refused(s->gate, s->url.host, stream__login(s), s->n_sessions > 0,
                              now_us + delay_us) -
           now_us;
}

static void plan_retry(struct stream *s, int64_t delay_us)
{
    s->retry_mono_us = loop_mono_us(s->loop) + delay_us;
    s->status.retry_us = stream__is_pushed(s) ? 0 : loop_wall_us(s->loop) + delay_us;
    s->has_failed = true;
    s->n_again = 0;
    if (!s->session) /* gone altogether: its sound was not the reason */
        sound_doubt_excuse(&s->memory.sound);
}

bool stream__has_answered_probe(const struct stream *s)
{
    return s->probed_mono_us > 0 && s->bytes_mono_us > s->probed_mono_us;
}

static void fail_text(struct stream *s, enum stream_cause cause, const char *fact)
{
    char detail[sizeof s->status.detail];
    int64_t now_us = loop_mono_us(s->loop);
    const char *note;
    int64_t delay_us = backoff_failed(&s->backoff, cause, now_us);
    if (cause == CAUSE_AUTH)
        delay_us = tell_refusal(s, delay_us);
    delay_us = stream__plan_around_stale(s, cause, delay_us, &note);
    snprintf(s->fact, sizeof s->fact, "%.*s%s", (int)(sizeof s->fact - 1 - strlen(note)), fact,
             note);
    print_failure(s, cause, delay_us, detail, sizeof detail);
    plan_retry(s, delay_us);
    if (is_of_network(cause) && !stream__has_answered_probe(s))
        stream__set_reachable(s, false);
    uint64_t n_skipped;
    if (s->status.cause != cause && log_every(&s->log_limit, now_us, &n_skipped))
        log_info(s->who, "%s: %s", cause_name(cause), detail);
    stream__source_down(s);
    stream__set_cause(s, cause, detail);
    stream__post_status(s, true);
}

void stream__fail(struct stream *s, enum stream_cause cause, const char *fmt, ...)
{
    char fact[sizeof s->fact];
    va_list args;
    va_start(args, fmt);
    vsnprintf(fact, sizeof fact, fmt, args);
    va_end(args);
    fail_text(s, cause, fact);
    stream__end(s, stream__is_pushed(s) ? STREAM_WAITING : STREAM_BACKOFF);
}

/* --- the session's verdicts --- */

/* Quirk L1: what some devices say when all their places are taken. */
static void fail_by_session(struct stream *s, const struct session_end *end)
{
    bool is_limit =
        (end->status == 403 || end->status == 500) && end->cause != CAUSE_BUSY && s->n_sessions > 0;
    if (is_limit)
        stream__fail(s, CAUSE_BUSY, "%s; its limit of viewers may be reached", end->text);
    else if (end->cause == CAUSE_AUTH && end->status == 401 && s->n_sessions > 0)
        stream__fail(s, CAUSE_AUTH,
                     "%s, though it worked before: changed, or its limit of viewers is reached",
                     end->text);
    else
        stream__fail(s, end->cause, "%s", end->text);
}

void stream__follow_verdict(struct stream *s)
{
    const struct session_end *end = &s->session->end;
    switch (end->verdict) {
    case SESSION_VERDICT_NONE:
        assert(false);
        break;
    case SESSION_VERDICT_STOPPED:
        break;
    case SESSION_VERDICT_FAILED:
        fail_by_session(s, end);
        break;
    case SESSION_VERDICT_REDIRECTED:
        if (++s->n_redirects > MAX_REDIRECTS) {
            stream__fail(s, CAUSE_PROTOCOL, "more than %d redirects", MAX_REDIRECTS);
        } else if (end->url.is_tls && !s->tls) {
            stream__fail(s, CAUSE_UNSUPPORTED, "redirected to TLS, which is not available");
        } else {
            s->url = end->url;
            stream__end(s, STREAM_QUEUED);
        }
        break;
    case SESSION_VERDICT_TRANSPORT:
        if (s->config.transport == TRANSPORT_AUTO && !s->is_udp && stream__may_use_udp(s)) {
            s->is_udp = true;
            stream__end(s, STREAM_QUEUED);
        } else if (s->stale_until_us > 0) { /* quirk K6: nobody asked for UDP but us */
            stream__fail(s, CAUSE_PROTOCOL, "%s", end->text);
        } else {
            s->is_udp = s->config.transport == TRANSPORT_UDP;
            stream__fail(s, end->cause, "%s", end->text);
        }
        break;
    case SESSION_VERDICT_AGAIN:
        stream__connect_again(s, end->cause, end->text);
        break;
    case SESSION_VERDICT_RESTART:
        stream__restart_push(s);
        break;
    }
}

void stream__connect_again(struct stream *s, enum stream_cause cause, const char *fact)
{
    if (s->n_again++ == 0 && !stream__is_pushed(s)) {
        log_info(s->who, "%s; connecting anew", fact);
        stream__end(s, STREAM_QUEUED);
    } else {
        stream__fail(s, cause, "%s", fact);
    }
}
