#include "ingest/av_open.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>

#include <libavformat/avformat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define ASK_US          (50 * US_PER_MS)
#define COMPLAINT_BYTES 160

/* Everything that is not named here is refused, also inside playlists: no file:, no data:, no
 * concat:. */
static const struct scheme {
    const char *prefix;
    const char *protocols;
    const char *format; /* NULL = found out from the first bytes */
} schemes[] = {
    {"rtmp://", "rtmp,tcp", NULL},
    {"rtmps://", "rtmps,tls,tcp", NULL},
    {"http://", "http,https,tls,tcp,crypto", NULL},
    {"https://", "http,https,tls,tcp,crypto", NULL},
    {"udp://", "udp", "mpegts"},
    {"srt://", "srt", "mpegts"},
};

#define FORMATS "flv,live_flv,mpegts,hls,mov,aac,mpjpeg"

/* --- time --- */

void av_patience_set(struct av_patience *p, int64_t due_mono_us)
{
    p->due_mono_us = due_mono_us;
    p->is_late = false;
}

static int give_up(void *ctx)
{
    struct av_patience *p = ctx;
    int64_t now_us = clock_mono_us(clock_system());
    if (now_us - p->asked_mono_us >= ASK_US) {
        p->asked_mono_us = now_us;
        p->is_gone = p->is_gone || p->is_over(p->ctx);
    }
    p->is_late = p->is_late || now_us >= p->due_mono_us;
    return p->is_gone || p->is_late;
}

/* --- what libav says --- */

static char complaint[COMPLAINT_BYTES]; /* the log has no other place to put it */

/* Only what stands behind an address: addresses hold credentials. */
static void keep_complaint(void *avcl, int level, const char *fmt, va_list args)
{
    (void)avcl;
    if (level > AV_LOG_WARNING)
        return;
    char line[1024];
    vsnprintf(line, sizeof line, fmt, args);
    const char *from = line;
    for (const char *at; (at = strstr(from, "://"));)
        from = at + 3 + strcspn(at + 3, " ");
    while (*from == ' ' || *from == ':')
        from++;
    size_t n = strcspn(from, "\r\n");
    if (n < 3)
        return;
    n = MIN(n, sizeof complaint - 1);
    memcpy(complaint, from, n);
    complaint[n] = '\0';
}

void av_open_init(void)
{
    av_log_set_level(AV_LOG_WARNING);
    av_log_set_callback(keep_complaint);
    avformat_network_init();
}

/* The complaint behind `word`, NULL when it does not tell. */
static const char *complaint_behind(const char *word)
{
    const char *at = strstr(complaint, word);
    return at ? at + strlen(word) : NULL;
}

static bool fail_by_status(int code, struct remux_end *end)
{
    if (code == AVERROR_HTTP_UNAUTHORIZED)
        remux_end_set(end, CAUSE_AUTH, "the server answered 401: wrong user or password");
    else if (code == AVERROR_HTTP_FORBIDDEN)
        remux_end_set(end, CAUSE_AUTH, "the server answered 403: forbidden");
    else if (code == AVERROR_HTTP_NOT_FOUND)
        remux_end_set(end, CAUSE_NOT_FOUND, "the server answered 404: no such stream");
    else if (code == AVERROR_HTTP_BAD_REQUEST)
        remux_end_set(end, CAUSE_PROTOCOL, "the server answered 400: bad request");
    else if (code == AVERROR_HTTP_OTHER_4XX)
        remux_end_set(end, CAUSE_PROTOCOL, "the server refused the request (4xx)");
    else if (code == AVERROR_HTTP_SERVER_ERROR)
        remux_end_set(end, CAUSE_BUSY, "the server answered with an error of its own (5xx)");
    else
        return false;
    return true;
}

/* RTMP tells why only in words. */
static bool fail_by_words(struct remux_end *end)
{
    const char *why = complaint_behind("Server error: ");
    if (why) {
        bool is_auth = strcasestr(why, "auth") || strcasestr(why, "denied");
        bool is_missing = strcasestr(why, "not found") || strcasestr(why, "notfound");
        remux_end_set(end,
                      is_auth      ? CAUSE_AUTH
                      : is_missing ? CAUSE_NOT_FOUND
                                   : CAUSE_PROTOCOL,
                      "the server refused: %.100s", why);
        return true;
    }
    return false;
}

void av_failure(int code, const struct av_patience *patience, const char *doing,
                struct remux_end *end)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (patience->is_gone) {
        remux_end_set(end, CAUSE_IDLE, "not wanted any more");
        return;
    }
    /* What was still there may have been given out in between, with new patience for the next. */
    if (patience->is_late || code == AVERROR_EXIT) {
        remux_end_set(end, CAUSE_TIMEOUT, "no media came in time while %s", doing);
        return;
    }
    if (fail_by_status(code, end) || fail_by_words(end))
        return;
    av_strerror(code, text, sizeof text);
    switch (code) {
    case AVERROR_EOF:
        remux_end_set(end, CAUSE_UNREACHABLE, "the peer ended the stream");
        break;
    case AVERROR_INVALIDDATA:
        remux_end_set(end, CAUSE_PROTOCOL, "what came is no FLV, MPEG-TS, HLS, MP4 or MJPEG");
        break;
    case AVERROR(ECONNREFUSED):
        remux_end_set(end, CAUSE_REFUSED, "connection refused");
        break;
    case AVERROR_PROTOCOL_NOT_FOUND:
    case AVERROR_DEMUXER_NOT_FOUND:
    case AVERROR_OPTION_NOT_FOUND:
        remux_end_set(end, CAUSE_UNSUPPORTED, "not supported by the installed libavformat");
        break;
    case AVERROR(EADDRINUSE):
    case AVERROR(EADDRNOTAVAIL):
        remux_end_set(end, CAUSE_REFUSED, "cannot listen: %s", text);
        break;
    default:
        remux_end_set(end, code > -4096 ? cause_of_code(code) : CAUSE_PROTOCOL, "%s failed: %s%s%s",
                      doing, text, complaint[0] ? "; " : "", complaint);
        if (end->cause == CAUSE_INTERNAL)
            end->cause = CAUSE_UNREACHABLE; /* EIO and the like, of the network */
        break;
    }
}

void av_cannot_send(struct remux_end *end)
{
    remux_end_set(end, CAUSE_UNSUPPORTED, "the video cannot be sent on%s%s",
                  complaint[0] ? ": " : "", complaint);
}

/* --- opening --- */

static const struct scheme *scheme_of(const char *address)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (span_istarts(span_of(address), schemes[i].prefix))
            return &schemes[i];
    }
    return NULL;
}

/* libav says "Input/output error" for names; so they are looked up here first. */
static int check_host(const char *address, struct remux_end *end)
{
    char host[URL_HOST_BYTES] = "";
    av_url_split(NULL, 0, NULL, 0, host, sizeof host, NULL, NULL, 0, address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (host[0] == '\0')
        return 0;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0) {
        remux_end_set(end, CAUSE_DNS, "host name %.80s: %s", host, gai_strerror(rc));
        return -1;
    }
    freeaddrinfo(list);
    return 0;
}

static void set_options(const struct scheme *scheme, AVDictionary **options)
{
    av_dict_set(options, "protocol_whitelist", scheme->protocols, 0);
    av_dict_set(options, "format_whitelist", FORMATS, 0);
    if (str_starts(scheme->prefix, "rtmp"))
        av_dict_set(options, "rtmp_live", "live", 0);
    if (str_starts(scheme->prefix, "http")) {
        av_dict_set(options, "user_agent", "Rookery", 0);
        av_dict_set(options, "icy", "0", 0);
    }
}

int av_open(const char *address, struct av_patience *patience, struct AVFormatContext **out,
            struct remux_end *end)
{
    const struct scheme *scheme = scheme_of(address);
    complaint[0] = '\0';
    if (!scheme) {
        remux_end_set(end, CAUSE_UNSUPPORTED, "addresses of this kind are not supported");
        return -1;
    }
    if (check_host(address, end) < 0)
        return -1;
    AVFormatContext *input = avformat_alloc_context();
    if (!input) {
        remux_end_set(end, CAUSE_INTERNAL, "out of memory");
        return -1;
    }
    input->interrupt_callback = (AVIOInterruptCB){.callback = give_up, .opaque = patience};
    AVDictionary *options = NULL;
    set_options(scheme, &options);
    const AVInputFormat *format = scheme->format ? av_find_input_format(scheme->format) : NULL;
    int rc = avformat_open_input(&input, address, format, &options); /* frees it on failure */
    av_dict_free(&options);
    if (rc < 0) {
        av_failure(rc, patience, "opening", end);
        if (rc == AVERROR(EIO) && str_starts(scheme->prefix, "srt"))
            remux_end_set(end, CAUSE_REFUSED,
                          "no SRT peer took the connection: nobody listens there, or passphrase "
                          "or stream id are wrong");
        return -1;
    }
    *out = input;
    return 0;
}
