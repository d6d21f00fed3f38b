#include "net/rtsp.h"

#include <string.h>

#include "base/mem.h"

/* "4588-4589", or one number n, which means n and n + 1. */
static bool parse_pair(struct span s, uint64_t max, uint16_t out[2])
{
    struct span first = {0};
    uint64_t a = 0;
    uint64_t b = 0;
    s = span_trim(s);
    if (!span_cut(&s, '-', &first) || !span_u64(first, &a) || a > max)
        return false;
    if (!span_u64(s, &b) || b > max)
        b = MIN(a + 1, max);
    out[0] = (uint16_t)a;
    out[1] = (uint16_t)b;
    return true;
}

static void parse_ssrc(struct span s, struct rtsp_transport *out)
{
    uint64_t v = 0;
    s = span_trim(s);
    if (s.n <= 8 && span_hex_u64(s, &v)) {
        out->has_ssrc = true;
        out->ssrc = (uint32_t)v;
    }
}

static struct span unquote(struct span s)
{
    s = span_trim(s);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        s = (struct span){s.p + 1, s.n - 2};
    return s;
}

/* Goes into a header again: printable, without separators. */
static void copy_host(struct span s, char *dst, size_t cap)
{
    s = unquote(s);
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr(";,\"", s.p[i]))
            return;
    }
    if (s.n < cap)
        span_copy(s, dst, cap);
}

static void parse_parameter(struct span item, struct rtsp_transport *out)
{
    struct span name = {0};
    struct span value = item;
    span_cut(&value, '=', &name);
    name = span_trim(name);
    uint64_t n = 0;
    if (span_ieq(name, "unicast")) {
        out->is_multicast = false;
    } else if (span_ieq(name, "multicast")) {
        out->is_multicast = true;
    } else if (span_ieq(name, "interleaved")) {
        uint16_t pair[2] = {0};
        out->is_tcp = true;
        if (!parse_pair(value, 255, pair))
            return;
        out->has_interleaved = true;
        out->interleaved[0] = (uint8_t)pair[0];
        out->interleaved[1] = (uint8_t)pair[1];
    } else if (span_ieq(name, "client_port")) {
        out->has_client_port = parse_pair(value, UINT16_MAX, out->client_port);
    } else if (span_ieq(name, "server_port")) {
        out->has_server_port = parse_pair(value, UINT16_MAX, out->server_port);
    } else if (span_ieq(name, "port")) {
        out->has_port = parse_pair(value, UINT16_MAX, out->port);
    } else if (span_ieq(name, "ssrc")) {
        parse_ssrc(value, out);
    } else if (span_ieq(name, "ttl")) {
        out->ttl = span_u64(value, &n) && n <= UINT8_MAX ? (uint8_t)n : 0;
    } else if (span_ieq(name, "source")) {
        copy_host(value, out->source, sizeof out->source);
    } else if (span_ieq(name, "destination")) {
        copy_host(value, out->destination, sizeof out->destination);
    } else if (span_ieq(name, "mode")) {
        out->is_record = span_ieq(unquote(value), "record");
    }
}

bool rtsp_transport_next(struct span *list, struct rtsp_transport *out)
{
    struct span alternative;
    while (span_cut(list, ',', &alternative)) {
        struct span item;
        alternative = span_trim(alternative);
        *out = (struct rtsp_transport){0};
        if (!span_cut(&alternative, ';', &item))
            continue;
        item = span_trim(item);
        /* "RTP/AVP", "RTP/AVP/TCP", "RTP/AVPF", "RTP/SAVP"; some leave "RTP/" out. */
        if (!span_istarts(item, "RTP/") && !span_istarts(item, "AVP"))
            continue;
        out->is_tcp = item.n >= 4 && span_ieq((struct span){item.p + item.n - 4, 4}, "/TCP");
        while (span_cut(&alternative, ';', &item))
            parse_parameter(span_trim(item), out);
        return true;
    }
    return false;
}

static void put_pair(struct buf *out, const char *name, unsigned a, unsigned b)
{
    buf_printf(out, ";%s=%u-%u", name, a, b);
}

void rtsp_transport_print(const struct rtsp_transport *t, struct buf *out)
{
    buf_puts(out, t->is_tcp ? "RTP/AVP/TCP" : "RTP/AVP");
    buf_puts(out, t->is_multicast ? ";multicast" : ";unicast");
    if (t->destination[0])
        buf_printf(out, ";destination=%s", t->destination);
    if (t->source[0])
        buf_printf(out, ";source=%s", t->source);
    if (t->has_interleaved)
        put_pair(out, "interleaved", t->interleaved[0], t->interleaved[1]);
    if (t->has_client_port)
        put_pair(out, "client_port", t->client_port[0], t->client_port[1]);
    if (t->has_server_port)
        put_pair(out, "server_port", t->server_port[0], t->server_port[1]);
    if (t->has_port)
        put_pair(out, "port", t->port[0], t->port[1]);
    if (t->ttl)
        buf_printf(out, ";ttl=%u", t->ttl);
    if (t->has_ssrc)
        buf_printf(out, ";ssrc=%08X", t->ssrc);
    if (t->is_record)
        buf_puts(out, ";mode=record");
}

void rtsp_session_parse(struct span value, struct rtsp_session *out)
{
    *out = (struct rtsp_session){0};
    struct span item = {0};
    span_cut(&value, ';', &item);
    span_copy(span_trim(item), out->id, sizeof out->id);
    while (span_cut(&value, ';', &item)) {
        struct span name = {0};
        uint64_t n = 0;
        span_cut(&item, '=', &name);
        if (span_ieq(span_trim(name), "timeout") && span_u64(unquote(item), &n))
            out->timeout_s = n == 0 ? 60 : (int)MIN(n, 86400u);
    }
}
