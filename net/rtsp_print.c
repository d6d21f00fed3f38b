#include "net/rtsp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {301, "Moved Permanently"},
    {302, "Moved Temporarily"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {413, "Request Entity Too Large"},
    {415, "Unsupported Media Type"},
    {451, "Parameter Not Understood"},
    {453, "Not Enough Bandwidth"},
    {454, "Session Not Found"},
    {455, "Method Not Valid in This State"},
    {457, "Invalid Range"},
    {459, "Aggregate Operation Not Allowed"},
    {460, "Only Aggregate Operation Allowed"},
    {461, "Unsupported Transport"},
    {462, "Destination Unreachable"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "RTSP Version Not Supported"},
    {551, "Option not supported"},
};

const char *rtsp_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

/* Text that must stay within its line. */
static void put_line_text(struct buf *out, const char *s, size_t n)
{
    size_t at = out->len;
    buf_append(out, s, n);
    for (; at < out->len; at++) {
        if (out->data[at] == '\r' || out->data[at] == '\n')
            out->data[at] = ' ';
    }
}

void rtsp_put(struct buf *out, const char *name, const char *fmt, ...)
{
    struct buf value;
    buf_init(&value, RTSP_HEADER_MAX_BYTES);
    char small[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    buf_puts(out, name);
    buf_puts(out, ": ");
    if (n >= 0 && (size_t)n < sizeof small) {
        put_line_text(out, small, (size_t)n);
    } else if (n >= 0 && buf_reserve(&value, (size_t)n + 1)) {
        va_start(ap, fmt);
        vsnprintf((char *)value.data, (size_t)n + 1, fmt, ap);
        va_end(ap);
        put_line_text(out, (const char *)value.data, (size_t)n);
    } else {
        out->is_failed = true;
    }
    buf_puts(out, "\r\n");
    buf_fini(&value);
}

void rtsp_request_begin(struct buf *out, enum rtsp_method method, const char *uri, uint32_t cseq,
                        const char *user_agent)
{
    buf_puts(out, rtsp_method_name(method));
    buf_put_u8(out, ' ');
    put_line_text(out, uri, strlen(uri));
    buf_printf(out, " RTSP/1.0\r\nCSeq: %u\r\n", cseq);
    rtsp_put(out, "User-Agent", "%s", user_agent ? user_agent : "Rookery");
}

void rtsp_response_begin(struct buf *out, int status, const char *reason, int64_t cseq,
                         const char *server)
{
    buf_printf(out, "RTSP/1.0 %d ", status);
    reason = reason ? reason : rtsp_reason(status);
    put_line_text(out, reason, strlen(reason));
    buf_puts(out, "\r\n");
    if (cseq >= 0)
        buf_printf(out, "CSeq: %lld\r\n", (long long)cseq);
    rtsp_put(out, "Server", "%s", server ? server : "Rookery");
}

void rtsp_end(struct buf *out, const char *content_type, const void *body, size_t n)
{
    if (n > 0 && content_type)
        rtsp_put(out, "Content-Type", "%s", content_type);
    if (n > 0)
        buf_printf(out, "Content-Length: %zu\r\n", n);
    buf_puts(out, "\r\n");
    buf_append(out, body, n);
}
