/* What some bytes seem to be: the way back into step after a loss of framing (quirks I1 to I3). */
#include <string.h>

#include "base/mem.h"
#include "net/rtsp_priv.h"

static enum look look_at_frame(const struct rtsp_parser *p, const uint8_t *d, size_t n,
                               bool is_strict)
{
    if (n < 4)
        return n >= 2 && !rtsp__is_channel(p, d[1], is_strict) ? LOOK_GARBAGE : LOOK_SHORT;
    if (!rtsp__is_channel(p, d[1], is_strict))
        return LOOK_GARBAGE;
    if (get_be16(d + 2) < FRAME_MIN_BYTES)
        return LOOK_RUNT;
    if (n < 5)
        return LOOK_SHORT;
    return (d[4] & 0xc0) == 0x80 ? LOOK_FRAME : LOOK_GARBAGE;
}

static enum look look_at_word(const uint8_t *d, size_t n, const char *word, enum look is_it)
{
    size_t n_word = strlen(word);
    if (memcmp(d, word, MIN(n, n_word)) != 0)
        return LOOK_GARBAGE;
    return n < n_word ? LOOK_SHORT : is_it;
}

static enum look look_at_method(const uint8_t *d, size_t n)
{
    for (int i = 1; i < RTSP_METHODS; i++) {
        size_t n_name = strlen(rtsp_method_name((enum rtsp_method)i));
        if (memcmp(d, rtsp_method_name((enum rtsp_method)i), MIN(n, n_name)) != 0)
            continue;
        if (n <= n_name)
            return LOOK_SHORT;
        if (d[n_name] == ' ')
            return LOOK_REQUEST;
    }
    return LOOK_GARBAGE;
}

static enum look look_at(const struct rtsp_parser *p, const uint8_t *d, size_t n, bool is_strict)
{
    if (n == 0)
        return LOOK_SHORT;
    if (d[0] == '$')
        return look_at_frame(p, d, n, is_strict);
    if (d[0] == '\r' || d[0] == '\n')
        return LOOK_BLANK;
    if (d[0] < 'A' || d[0] > 'Z')
        return LOOK_GARBAGE;
    enum look l = look_at_word(d, n, "RTSP/", LOOK_RESPONSE);
    if (l == LOOK_GARBAGE)
        l = look_at_word(d, n, "HTTP/", LOOK_HTTP);
    return l == LOOK_GARBAGE ? look_at_method(d, n) : l;
}

enum look rtsp__look(const struct rtsp_parser *p, const uint8_t *d, size_t n)
{
    return look_at(p, d, n, false);
}

enum look rtsp__look_at_foreign_request(const uint8_t *d, size_t n)
{
    enum { TOKEN_MAX = 32, LINE_MAX = 512 };
    size_t i = 0;
    while (i < n && i < TOKEN_MAX && ((d[i] >= 'A' && d[i] <= 'Z') || d[i] == '_' || d[i] == '-'))
        i++;
    if (i == n)
        return n < TOKEN_MAX ? LOOK_SHORT : LOOK_GARBAGE;
    if (i < 3 || d[i] != ' ')
        return LOOK_GARBAGE;
    while (i < n && i < LINE_MAX && d[i] >= ' ' && d[i] < 0x7f)
        i++;
    if (i == n)
        return n < LINE_MAX ? LOOK_SHORT : LOOK_GARBAGE;
    bool is_line_end = d[i] == '\r' || d[i] == '\n';
    return is_line_end && memmem(d, i, " RTSP/1.", 8) ? LOOK_REQUEST : LOOK_GARBAGE;
}

enum look rtsp__look_sure(const struct rtsp_parser *p, const uint8_t *d, size_t n)
{
    enum look l = look_at(p, d, n, true);
    if (l == LOOK_RUNT || l == LOOK_BLANK)
        return LOOK_GARBAGE;
    if (l != LOOK_FRAME)
        return l;
    size_t end = 4 + (size_t)get_be16(d + 2);
    if (n < end)
        return LOOK_SHORT;
    if (n == end)
        return l;
    return rtsp__look(p, d + end, n - end) == LOOK_GARBAGE ? LOOK_GARBAGE : l;
}

/* Bytes of a frame behind a cut one that are waited for, to be sure. */
#define CUT_WAIT_BYTES 8192

/* What stands behind a frame makes no sense: either garbage came in between, or the frame was cut
 * short and has the next one inside (quirk I1), or an answer was written into it (quirk I3).
 * LOOK_FRAME: it is whole; LOOK_GARBAGE: it is not; LOOK_SHORT: more bytes must decide. */
static enum look look_into_frame(const struct rtsp_parser *p, const uint8_t *d, size_t n,
                                 size_t end)
{
    for (size_t i = 1; i < end; i++) {
        if (d[i] != '$' && d[i] != 'R')
            continue;
        enum look l = look_at(p, d + i, n - i, true);
        if (l == LOOK_RESPONSE)
            return LOOK_GARBAGE;
        if (l != LOOK_FRAME)
            continue;
        size_t inner_end = i + 4 + get_be16(d + i + 2);
        if (inner_end >= end && inner_end - end < CUT_WAIT_BYTES && n <= inner_end)
            return LOOK_SHORT;
        if (n > inner_end && rtsp__look(p, d + inner_end, n - inner_end) != LOOK_GARBAGE)
            return LOOK_GARBAGE;
    }
    return LOOK_FRAME;
}

enum look rtsp__look_behind(const struct rtsp_parser *p, const uint8_t *d, size_t n, size_t end)
{
    enum look l = rtsp__look(p, d + end, n - end);
    if (l != LOOK_GARBAGE || rtsp__look_at_foreign_request(d + end, n - end) != LOOK_GARBAGE)
        return LOOK_FRAME;
    return look_into_frame(p, d, n, end);
}
