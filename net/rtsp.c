#include "net/rtsp.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/rtsp_priv.h"

static const char *const method_names[RTSP_METHODS] = {
    "?",        "OPTIONS",       "DESCRIBE",      "SETUP",    "PLAY",   "PAUSE",
    "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "RECORD", "REDIRECT",
};

const char *rtsp_method_name(enum rtsp_method method)
{
    return method_names[method];
}

static enum rtsp_method rtsp_method_of(struct span name)
{
    for (int i = 1; i < RTSP_METHODS; i++) {
        if (span_eq(name, method_names[i]))
            return (enum rtsp_method)i;
    }
    return RTSP_UNKNOWN_METHOD;
}

bool rtsp_get_next(const struct rtsp_message *m, const char *name, size_t *pos, struct span *out)
{
    for (; *pos < m->n_headers; (*pos)++) {
        if (span_ieq(m->headers[*pos].name, name)) {
            *out = m->headers[(*pos)++].value;
            return true;
        }
    }
    *out = span_of("");
    return false;
}

bool rtsp_get(const struct rtsp_message *m, const char *name, struct span *out)
{
    size_t pos = 0;
    return rtsp_get_next(m, name, &pos, out);
}

bool rtsp_list_has(struct span list, enum rtsp_method method)
{
    struct span item;
    while (span_cut(&list, ',', &item)) {
        if (span_ieq(span_trim(item), method_names[method]))
            return true;
    }
    return false;
}

void rtsp_parser_init(struct rtsp_parser *p)
{
    *p = (struct rtsp_parser){.channels = {0xffff}};
}

void rtsp_parser_add_channel(struct rtsp_parser *p, uint8_t channel)
{
    p->channels[channel >> 6] |= UINT64_C(1) << (channel & 63);
}

void rtsp_parser_only_channels(struct rtsp_parser *p, const uint8_t *channels, size_t n)
{
    memset(p->channels, 0, sizeof p->channels);
    for (size_t i = 0; i < n; i++)
        rtsp_parser_add_channel(p, channels[i]);
}

void rtsp_parser_take_partial(struct rtsp_parser *p)
{
    p->takes_partial = true;
}

static size_t give_error(struct rtsp_item *out, int code, const char *text, size_t n)
{
    out->kind = RTSP_ERROR;
    out->code = code;
    out->text = text;
    return n;
}

/* Passes over what makes no sense, up to the next sure item or to where more bytes must decide. */
static size_t skip_garbage(struct rtsp_parser *p, const uint8_t *d, size_t n, size_t from,
                           struct rtsp_item *out)
{
    size_t i = from;
    for (; i < n; i++) {
        enum look l = rtsp__look_sure(p, d + i, n - i);
        if (l == LOOK_FRAME || l == LOOK_REQUEST || l == LOOK_RESPONSE || l == LOOK_SHORT)
            break;
    }
    if (i == 0)
        return 0;
    out->kind = RTSP_SKIPPED;
    out->is_new_loss = !p->is_lost;
    out->n_skipped = i;
    p->n_losses += !p->is_lost;
    p->n_skipped_bytes += i;
    p->is_lost = true;
    p->n_scanned = 0;
    return i;
}

/* A runt is believed when the frame behind it, if there is one yet, looks right. */
static size_t take_runt(struct rtsp_parser *p, const uint8_t *d, size_t n, struct rtsp_item *out)
{
    size_t end = 4 + (size_t)get_be16(d + 2);
    if (n < end)
        return 0;
    if (n > end && rtsp__look(p, d + end, n - end) == LOOK_GARBAGE)
        return skip_garbage(p, d, n, 1, out);
    p->n_runts++;
    out->kind = RTSP_NONE;
    return end;
}

/* End of the header block: behind the empty line. 0 = not there yet; *out_is_bad: it holds bytes
 * that no header has. */
static size_t find_header_end(struct rtsp_parser *p, const uint8_t *d, size_t n, bool *out_is_bad)
{
    size_t limit = MIN(n, RTSP_HEADER_MAX_BYTES);
    *out_is_bad = false;
    for (size_t i = p->n_scanned; i < limit; i++) {
        if (d[i] == '\n' && i > 0) {
            bool is_empty_line =
                d[i - 1] == '\n' || (i > 1 && d[i - 1] == '\r' && d[i - 2] == '\n');
            if (is_empty_line)
                return i + 1;
        } else if (d[i] < ' ' && d[i] != '\r' && d[i] != '\t' && d[i] != '\n') {
            *out_is_bad = true;
            return 0;
        }
    }
    p->n_scanned = limit;
    return 0;
}

static bool parse_status_line(struct span line, struct rtsp_message *m)
{
    struct span version;
    struct span status;
    uint64_t code = 0;
    span_cut(&line, ' ', &version);
    line = span_trim(line);
    if (!span_cut(&line, ' ', &status) || !span_u64(status, &code) || code < 100 || code > 999)
        return false;
    m->status = (int)code;
    m->reason = span_trim(line);
    return true;
}

static bool parse_request_line(struct span line, struct rtsp_message *m)
{
    struct span name;
    if (!span_cut(&line, ' ', &name))
        return false;
    m->method = rtsp_method_of(name);
    /* The URI ends at the last blank: some hold blanks themselves. */
    line = span_trim(line);
    const char *blank = line.n > 0 ? memrchr(line.p, ' ', line.n) : NULL;
    if (!blank)
        return false;
    struct span version = {blank + 1, (size_t)(line.p + line.n - blank - 1)};
    m->uri = span_trim((struct span){line.p, (size_t)(blank - line.p)});
    return span_istarts(version, "RTSP/") && m->uri.n > 0;
}

static void parse_headers(struct span block, struct rtsp_message *m)
{
    struct span line;
    while (span_line(&block, &line)) {
        struct span name;
        struct span value = line;
        if (line.n == 0 || line.p[0] == ' ' || line.p[0] == '\t' || !span_cut(&value, ':', &name) ||
            name.n == line.n)
            continue;
        if (m->n_headers == RTSP_MAX_HEADERS)
            return;
        m->headers[m->n_headers++] = (struct rtsp_header){span_trim(name), span_trim(value)};
    }
}

/* Where the body really ends, given what Content-Length claims. Cameras claim too little: then text
 * goes on where a frame or message should begin. */
static size_t corrected_body_end(const struct rtsp_parser *p, const uint8_t *d, size_t n,
                                 size_t begin, size_t claimed_end)
{
    if (claimed_end >= n || rtsp__look(p, d + claimed_end, n - claimed_end) != LOOK_GARBAGE)
        return claimed_end;
    /* Only text is taken for a cut description. */
    if (d[claimed_end] < ' ' || d[claimed_end] > '~' || begin == claimed_end)
        return claimed_end;
    size_t end = claimed_end;
    size_t limit = MIN(n, begin + RTSP_BODY_MAX_BYTES);
    while (end < limit && (d[end] >= ' ' || d[end] == '\r' || d[end] == '\n' || d[end] == '\t')) {
        bool is_line_start = d[end - 1] == '\n';
        enum look l =
            is_line_start || d[end] == '$' ? rtsp__look(p, d + end, n - end) : LOOK_GARBAGE;
        if (l == LOOK_FRAME || l == LOOK_REQUEST || l == LOOK_RESPONSE)
            break;
        end++;
    }
    return end;
}

/* 0 = more bytes are needed. */
static size_t take_body(struct rtsp_parser *p, const uint8_t *d, size_t n, size_t begin,
                        struct rtsp_item *out)
{
    struct rtsp_message *m = &out->message;
    struct span value;
    uint64_t n_body = 0;
    if (!rtsp_get(m, "Content-Length", &value) || !span_u64(value, &n_body))
        n_body = 0;
    if (n_body > RTSP_BODY_MAX_BYTES)
        return give_error(out, ERR_TOO_BIG, "message body is larger than 64 KiB", n);
    if (n_body > 0) {
        /* Announced and not sent: a frame stands in its place. */
        size_t at = begin;
        while (at < n && (d[at] == '\r' || d[at] == '\n'))
            at++;
        if (at < n && d[at] == '$' && rtsp__look(p, d + at, n - at) == LOOK_FRAME)
            return at;
    }
    size_t end = begin + (size_t)n_body;
    if (end > n) {
        if (!p->takes_partial)
            return 0;
        end = n;
    }
    if (n_body > 0)
        end = corrected_body_end(p, d, n, begin, end);
    struct span body = {(const char *)d + begin, end - begin};
    while (body.n > 0 && (body.p[0] == '\r' || body.p[0] == '\n')) {
        body.p++;
        body.n--;
    }
    m->body = body;
    return end;
}

static size_t take_message(struct rtsp_parser *p, const uint8_t *d, size_t n, bool is_response,
                           struct rtsp_item *out)
{
    bool is_bad = false;
    size_t n_head = find_header_end(p, d, n, &is_bad);
    if (is_bad)
        return skip_garbage(p, d, n, 1, out);
    if (n_head == 0) {
        if (n >= RTSP_HEADER_MAX_BYTES)
            return give_error(out, ERR_TOO_BIG, "message header is larger than 16 KiB", n);
        return 0;
    }
    struct rtsp_message *m = &out->message;
    *m = (struct rtsp_message){.cseq = -1};
    struct span block = {(const char *)d, n_head};
    struct span line = {0};
    span_line(&block, &line);
    if (!(is_response ? parse_status_line(line, m) : parse_request_line(line, m)))
        return skip_garbage(p, d, n, 1, out);
    parse_headers(block, m);
    struct span value;
    int64_t cseq = 0;
    if (rtsp_get(m, "CSeq", &value) && span_i64(value, &cseq) && cseq >= 0)
        m->cseq = cseq;

    out->kind = is_response ? RTSP_RESPONSE : RTSP_REQUEST;
    size_t used = take_body(p, d, n, n_head, out);
    if (used == 0) {
        p->n_scanned = n_head - 1; /* finds the same end again at once */
        return 0;
    }
    p->n_scanned = 0;
    p->is_lost = false;
    p->takes_partial = false;
    return used;
}

static size_t take_blanks(const uint8_t *d, size_t n, struct rtsp_item *out)
{
    size_t i = 0;
    while (i < n && (d[i] == '\r' || d[i] == '\n'))
        i++;
    out->kind = RTSP_NONE;
    return i;
}

static size_t parse_slowly(struct rtsp_parser *p, const uint8_t *d, size_t n, struct rtsp_item *out)
{
    switch (rtsp__look(p, d, n)) {
    case LOOK_SHORT:
        return 0;
    case LOOK_BLANK:
        return take_blanks(d, n, out);
    case LOOK_FRAME: /* incomplete */
        return 0;
    case LOOK_RUNT:
        return take_runt(p, d, n, out);
    case LOOK_REQUEST:
        return take_message(p, d, n, false, out);
    case LOOK_RESPONSE:
        return take_message(p, d, n, true, out);
    case LOOK_HTTP:
        return give_error(out, ERR_PROTOCOL, "peer speaks HTTP, not RTSP", n);
    case LOOK_GARBAGE:
        break;
    }
    enum look l = p->is_lost ? LOOK_GARBAGE : rtsp__look_at_foreign_request(d, n);
    if (l == LOOK_REQUEST)
        return take_message(p, d, n, false, out);
    return l == LOOK_SHORT ? 0 : skip_garbage(p, d, n, 1, out);
}

size_t rtsp_parse(struct rtsp_parser *p, const uint8_t *d, size_t n, struct rtsp_item *out)
{
    out->kind = RTSP_NONE;
    if (n == 0)
        return 0;
    if (p->is_lost) {
        size_t skipped = skip_garbage(p, d, n, 0, out);
        if (skipped > 0)
            return skipped;
        if (rtsp__look_sure(p, d, n) == LOOK_SHORT)
            return 0;
    }
    if (d[0] == '$' && n >= 4 + FRAME_MIN_BYTES && rtsp__is_channel(p, d[1], false) &&
        (d[4] & 0xc0) == 0x80) {
        size_t len = get_be16(d + 2);
        if (len >= FRAME_MIN_BYTES) {
            if (n < 4 + len)
                return 0;
            if (n > 4 + len && d[4 + len] != '$') {
                enum look l = rtsp__look_behind(p, d, n, 4 + len);
                if (l == LOOK_SHORT)
                    return 0;
                if (l == LOOK_GARBAGE)
                    return skip_garbage(p, d, n, 1, out);
            }
            p->is_lost = false;
            out->kind = RTSP_FRAME;
            out->channel = d[1];
            out->payload = d + 4;
            out->payload_len = len;
            return 4 + len;
        }
    }
    return parse_slowly(p, d, n, out);
}
