#include "ingest/remux_message.h"

#include <stdarg.h>

#include "base/err.h"

#define MAX_MS (10 * 60 * 1000)

void remux_job_print(const struct remux_job *job, struct buf *out)
{
    rtsp_request_begin(out, RTSP_SET_PARAMETER, "*", 1, NULL);
    rtsp_put(out, "Address", "%s", job->address);
    rtsp_put(out, "Open-Ms", "%d", job->open_ms);
    rtsp_put(out, "Silence-Ms", "%d", job->silence_ms);
    rtsp_end(out, NULL, NULL, 0);
}

static bool take_ms(const struct rtsp_message *m, const char *name, int *out)
{
    struct span value;
    uint64_t ms = 0;
    if (!rtsp_get(m, name, &value) || !span_u64(value, &ms) || ms == 0 || ms > MAX_MS)
        return false;
    *out = (int)ms;
    return true;
}

static bool is_one_line(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

int remux_job_parse(const struct rtsp_message *m, struct remux_job *out)
{
    struct span address;
    *out = (struct remux_job){0};
    if (m->method != RTSP_SET_PARAMETER || !rtsp_get(m, "Address", &address) || address.n == 0 ||
        !is_one_line(address) || !span_copy(address, out->address, sizeof out->address) ||
        !take_ms(m, "Open-Ms", &out->open_ms) || !take_ms(m, "Silence-Ms", &out->silence_ms))
        return ERR_PARSE;
    return 0;
}

void remux_end_set(struct remux_end *end, enum stream_cause cause, const char *fmt, ...)
{
    end->cause = cause;
    va_list args;
    va_start(args, fmt);
    vsnprintf(end->text, sizeof end->text, fmt, args);
    va_end(args);
}

void remux_end_print(const struct remux_end *end, uint32_t cseq, struct buf *out)
{
    rtsp_request_begin(out, RTSP_TEARDOWN, "*", cseq, NULL);
    rtsp_put(out, "Cause", "%s", cause_name(end->cause));
    rtsp_put(out, "Reason", "%s", end->text);
    rtsp_end(out, NULL, NULL, 0);
}

int remux_end_parse(const struct rtsp_message *m, struct remux_end *out)
{
    struct span cause;
    struct span reason;
    *out = (struct remux_end){0};
    if (m->method != RTSP_TEARDOWN || !rtsp_get(m, "Cause", &cause) ||
        !rtsp_get(m, "Reason", &reason) || reason.n == 0)
        return ERR_PARSE;
    for (int c = 0; c < CAUSE_COUNT; c++) {
        if (!span_eq(cause, cause_name((enum stream_cause)c)))
            continue;
        out->cause = c < CAUSE_DNS ? CAUSE_INTERNAL : (enum stream_cause)c;
        reason.n = reason.n < sizeof out->text ? reason.n : sizeof out->text - 1;
        while (reason.n > 0 && !str_is_utf8(reason.p, reason.n))
            reason.n--; /* cut inside a character */
        span_copy(reason, out->text, sizeof out->text);
        return out->text[0] ? 0 : ERR_PARSE;
    }
    return ERR_PARSE;
}
