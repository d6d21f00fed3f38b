/* What a scripted camera sends: texts with placeholders, and answers that were changed. */
#include <string.h>

#include "client_priv.h"
#include "media/sdp.h"

static void print_sdp(const struct client *c, struct buf *out)
{
    const struct stream *s = c->stream ? c->stream : &c->camera->streams[STREAM_MAIN];
    sdp_print(s->tracks[TRACK_VIDEO].format, s->tracks[TRACK_AUDIO].format, c->camera->config->name,
              out);
}

/* The part of our description from one line's beginning on, up to the next m=, without a=control.
 */
static void put_media(struct span sdp, const char *first, struct buf *out)
{
    struct span line;
    bool is_inside = false;
    while (span_line(&sdp, &line)) {
        if (span_istarts(line, "m="))
            is_inside = span_istarts(line, first);
        if (is_inside && !span_istarts(line, "a=control"))
            buf_printf(out, SPAN_FMT "\r\n", SPAN_ARG(line));
    }
}

static void put_value(struct span sdp, const char *first, struct buf *out)
{
    struct span line;
    size_t n = strlen(first);
    while (span_line(&sdp, &line)) {
        if (!span_istarts(line, first))
            continue;
        buf_append(out, line.p + n, line.n - n);
        return;
    }
}

/* The sprop of one kind of parameter set: sets of H.264 count from 0. */
static void put_set(struct span sdp, const char *key, int nth, struct buf *out)
{
    const char *at = memmem(sdp.p, sdp.n, key, strlen(key));
    if (!at)
        return;
    at += strlen(key);
    struct span rest = {at, (size_t)(sdp.p + sdp.n - at)};
    rest.n = strcspn(at, ";\r");
    struct span part = rest;
    for (int i = 0; i <= nth; i++)
        if (!span_cut(&rest, ',', &part))
            return;
    buf_append(out, part.p, part.n);
}

static void put_described(const struct client *c, struct span name, struct buf *out)
{
    struct buf text;
    buf_init(&text, RTSP_BODY_MAX_BYTES);
    print_sdp(c, &text);
    struct span sdp = span_of(buf_cstr(&text));
    if (span_eq(name, "SDP"))
        buf_append(out, text.data, text.len);
    else if (span_eq(name, "VIDEO"))
        put_media(sdp, "m=video", out);
    else if (span_eq(name, "AUDIO"))
        put_media(sdp, "m=audio", out);
    else if (span_eq(name, "VIDEO_FMTP"))
        put_value(sdp, "a=fmtp:96 ", out);
    else if (span_eq(name, "AUDIO_FMTP"))
        put_value(sdp, "a=fmtp:97 ", out);
    else if (span_eq(name, "SPS"))
        put_set(sdp,
                memmem(sdp.p, sdp.n, "sprop-sps=", 10) ? "sprop-sps=" : "sprop-parameter-sets=", 0,
                out);
    else if (span_eq(name, "PPS"))
        put_set(sdp,
                memmem(sdp.p, sdp.n, "sprop-pps=", 10) ? "sprop-pps=" : "sprop-parameter-sets=",
                memmem(sdp.p, sdp.n, "sprop-pps=", 10) ? 0 : 1, out);
    else if (span_eq(name, "VPS"))
        put_set(sdp, "sprop-vps=", 0, out);
    else
        buf_printf(out, "${" SPAN_FMT "}", SPAN_ARG(name));
    buf_fini(&text);
}

void script_put_hex(struct span text, struct buf *out)
{
    unsigned value = 0;
    int n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char d = text.p[i];
        if (d == ' ')
            continue;
        value = value << 4 | (unsigned)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
        if (++n % 2 == 0)
            buf_put_u8(out, (uint8_t)value);
    }
}

static void put_placeholder(const struct script_context *x, struct span name, struct buf *out)
{
    const struct client *c = x->client;
    const struct camera *camera = c->camera;
    if (span_eq(name, "CSEQ"))
        buf_printf(out, "%lld", (long long)x->cseq);
    else if (span_eq(name, "URI"))
        buf_append(out, x->uri.p, x->uri.n);
    else if (span_eq(name, "HOST"))
        buf_printf(out, "%s:%u",
                   camera->config->address[0] ? camera->config->address
                                              : camera->sim->config->address,
                   camera->listener ? camera->listener->port : camera->sim->common.port);
    else if (span_eq(name, "SESSION"))
        buf_puts(out, c->session);
    else if (span_eq(name, "NONCE"))
        buf_puts(out, c->nonce);
    else if (span_istarts(name, "HEX "))
        script_put_hex((struct span){name.p + 4, name.n - 4}, out);
    else if (span_eq(name, "ANSWER"))
        buf_append(out, x->answer.p, x->answer.n);
    else
        put_described(c, name, out);
}

static void print_text(const struct script_context *x, const char *text, struct buf *out)
{
    const char *open;
    while ((open = strstr(text, "${"))) {
        const char *close = strchr(open, '}');
        if (!close)
            break;
        buf_append(out, text, (size_t)(open - text));
        put_placeholder(x, (struct span){open + 2, (size_t)(close - open - 2)}, out);
        text = close + 1;
    }
    buf_puts(out, text);
}

static void print_line(const struct script_context *x, const json_t *line, struct buf *out)
{
    const char *text = json_string_value(line);
    print_text(x, text, out);
    /* ${VIDEO} brings its own ends of lines */
    if (out->len < 2 || memcmp(out->data + out->len - 2, "\r\n", 2) != 0 || !*text)
        buf_puts(out, "\r\n");
}

void script_print(const struct script_context *x, const json_t *text, struct buf *out)
{
    size_t i;
    json_t *line;
    if (json_is_string(text)) {
        print_text(x, json_string_value(text), out);
        return;
    }
    json_array_foreach(text, i, line)
    {
        json_int_t n = 1;
        const json_t *what = line;
        if (json_is_object(line)) {
            n = json_integer_value(json_object_get(line, "times"));
            what = json_object_get(line, "line");
        }
        while (n-- > 0 && out->len < SCRIPT_MAX_TEXT_BYTES && json_is_string(what))
            print_line(x, what, out);
    }
}

/* Whether the rule has its own opinion about a header. */
static bool is_overridden(const json_t *headers, struct span name)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)headers, key, value)
    {
        if (span_ieq(name, key))
            return true;
    }
    return false;
}

static void put_header(const struct script_context *x, const char *name, const json_t *value,
                       const char *newline, struct buf *out)
{
    if (!json_is_string(value))
        return;
    buf_printf(out, "%s: ", name);
    print_text(x, json_string_value(value), out);
    buf_puts(out, newline);
}

static void put_headers(const struct script_context *x, const json_t *headers, const char *newline,
                        struct buf *out)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        size_t i;
        json_t *one;
        put_header(x, name, value, newline, out);
        json_array_foreach(value, i, one)
        {
            put_header(x, name, one, newline, out);
        }
    }
}

static void put_status_line(const struct script_context *x, const json_t *rule, struct span line,
                            struct buf *out)
{
    const json_t *own = json_object_get(rule, "status_line");
    const json_t *status = json_object_get(rule, "status");
    if (own)
        print_text(x, json_string_value(own), out);
    else if (status)
        buf_printf(out, "RTSP/1.0 %d %s", (int)json_integer_value(status),
                   rtsp_reason((int)json_integer_value(status)));
    else
        buf_append(out, line.p, line.n);
}

void script_edit_answer(const struct script_context *x, const json_t *rule, struct buf *out)
{
    struct span rest = x->answer;
    struct span line;
    struct buf body;
    const json_t *headers = json_object_get(rule, "headers");
    const json_t *sdp = json_object_get(rule, "sdp");
    const json_t *text = sdp ? sdp : json_object_get(rule, "body");
    const char *newline = json_string_value(json_object_get(rule, "newline"));
    if (!newline)
        newline = "\r\n";
    buf_init(&body, SCRIPT_MAX_TEXT_BYTES);
    if (text)
        script_print(x, text, &body);

    span_line(&rest, &line);
    put_status_line(x, rule, line, out);
    buf_puts(out, newline);
    while (span_line(&rest, &line) && line.n > 0) {
        struct span value = line;
        struct span name;
        span_cut(&value, ':', &name);
        bool is_of_body =
            text && (span_ieq(name, "Content-Length") || (sdp && span_ieq(name, "Content-Type")));
        if (!is_of_body && !is_overridden(headers, name))
            buf_printf(out, SPAN_FMT "%s", SPAN_ARG(line), newline);
    }
    put_headers(x, headers, newline, out);
    if (sdp && !is_overridden(headers, SPAN("Content-Type")))
        buf_printf(out, "Content-Type: application/sdp%s", newline);
    if (text && !is_overridden(headers, SPAN("Content-Length")))
        buf_printf(out, "Content-Length: %zu%s", body.len, newline);
    buf_puts(out, newline);
    if (text)
        buf_append(out, body.data, body.len);
    else
        buf_append(out, rest.p, rest.n);
    buf_fini(&body);
}
