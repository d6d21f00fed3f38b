/* RTSP 1.0 messages and interleaved frames (RFC 2326), as cameras really send them. Sans-IO: both
 * the client session and the server side feed bytes in and get items out, in place.
 * Thread: belongs to one owner. */
#ifndef NET_RTSP_H
#define NET_RTSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define RTSP_HEADER_MAX_BYTES (16u << 10)
#define RTSP_BODY_MAX_BYTES   (64u << 10)
#define RTSP_MAX_HEADERS      48
/* A receive buffer of this size always gets on: it holds the longest item and what must follow to
 * confirm it after a loss of framing. */
#define RTSP_INPUT_BYTES (RTSP_HEADER_MAX_BYTES + RTSP_BODY_MAX_BYTES + 64)

enum rtsp_method {
    RTSP_UNKNOWN_METHOD,
    RTSP_OPTIONS,
    RTSP_DESCRIBE,
    RTSP_SETUP,
    RTSP_PLAY,
    RTSP_PAUSE,
    RTSP_TEARDOWN,
    RTSP_GET_PARAMETER,
    RTSP_SET_PARAMETER,
    RTSP_ANNOUNCE,
    RTSP_RECORD,
    RTSP_REDIRECT,
};
enum { RTSP_METHODS = RTSP_REDIRECT + 1 };
const char *rtsp_method_name(enum rtsp_method method); /* "PLAY"; "?" when unknown */

struct rtsp_header {
    struct span name;
    struct span value; /* trimmed */
};

/* Points into the bytes that were parsed; valid as long as these stay where they are. */
struct rtsp_message {
    enum rtsp_method method; /* request */
    struct span uri;         /* request */
    int status;              /* response: 100…999 */
    struct span reason;      /* response, may be empty */
    int64_t cseq;            /* -1 = missing or unreadable */
    struct span body;        /* without empty lines in front of it */
    size_t n_headers;        /* further ones were ignored */
    struct rtsp_header headers[RTSP_MAX_HEADERS];
};

/* Value of the first header of that name, case ignored; false and empty when absent. */
bool rtsp_get(const struct rtsp_message *m, const char *name, struct span *out);

/* Steps through all headers of one name: start with *pos = 0. */
bool rtsp_get_next(const struct rtsp_message *m, const char *name, size_t *pos, struct span *out);

/* Whether a comma list such as Public or Allow names the method. */
bool rtsp_list_has(struct span list, enum rtsp_method method);

enum rtsp_kind {
    RTSP_NONE,     /* nothing (only empty lines or a runt frame went by) */
    RTSP_FRAME,    /* interleaved: channel, payload */
    RTSP_REQUEST,  /* message */
    RTSP_RESPONSE, /* message */
    RTSP_SKIPPED,  /* n_skipped bytes made no sense; is_new_loss tells the first of a run */
    RTSP_ERROR,    /* the connection is of no use any more: code, text */
};

struct rtsp_item {
    enum rtsp_kind kind;
    uint8_t channel;
    bool is_new_loss;
    int code; /* ERR_PROTOCOL (peer speaks HTTP), ERR_TOO_BIG */
    const uint8_t *payload;
    size_t payload_len;
    size_t n_skipped;
    const char *text;            /* of an error, static */
    struct rtsp_message message; /* filled for requests and responses only */
};

struct rtsp_parser {
    uint64_t channels[4]; /* bit set = frames on it are expected */
    bool is_lost;         /* framing is lost: looking for the next sure item */
    bool takes_partial;
    size_t n_scanned; /* bytes of an unfinished header block already searched */
    uint64_t n_skipped_bytes;
    uint64_t n_losses;
    uint64_t n_runts;
};

/* Channels 0-15 are expected at first. */
void rtsp_parser_init(struct rtsp_parser *p);

/* Only these channels, named by the answers to SETUP, are searched for when framing is lost. In
 * step, frames on 0-15 are given out as well: some cameras send streams nobody set up. */
void rtsp_parser_only_channels(struct rtsp_parser *p, const uint8_t *channels, size_t n);

/* Also expects frames on this channel. */
void rtsp_parser_add_channel(struct rtsp_parser *p, uint8_t channel);

/* Takes one item from the front of the bytes received and not yet consumed. Returns the bytes
 * consumed; 0 = more bytes are needed. The item points into data. An interleaved frame costs a few
 * comparisons. After RTSP_ERROR the parser is finished. Usage:
 *     while ((n = rtsp_parse(&p, data + at, len - at, &item)) > 0) { at += n; switch (item.kind) …
 * } */
size_t rtsp_parse(struct rtsp_parser *p, const uint8_t *data, size_t len, struct rtsp_item *out);

/* The peer announced more body than it sends, and time is up: the next rtsp_parse takes what is
 * there of an unfinished body as the whole. */
void rtsp_parser_take_partial(struct rtsp_parser *p);

/* --- printing: begin, any number of puts, end --- */

/* Writes the start line, CSeq and User-Agent (NULL = "Rookery"). */
void rtsp_request_begin(struct buf *out, enum rtsp_method method, const char *uri, uint32_t cseq,
                        const char *user_agent);

/* Writes the start line, CSeq (left out when < 0) and Server (NULL = "Rookery"). A NULL reason is
 * filled in by rtsp_reason. */
void rtsp_response_begin(struct buf *out, int status, const char *reason, int64_t cseq,
                         const char *server);

/* Line breaks in values become blanks. */
void rtsp_put(struct buf *out, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the header; with a body writes Content-Type (unless NULL) and Content-Length first. */
void rtsp_end(struct buf *out, const char *content_type, const void *body, size_t n);

/* The four bytes in front of an interleaved frame. */
static inline void rtsp_frame_head(uint8_t head[4], uint8_t channel, uint16_t len)
{
    head[0] = '$';
    head[1] = channel;
    head[2] = (uint8_t)(len >> 8);
    head[3] = (uint8_t)len;
}

const char *rtsp_reason(int status); /* "OK"; "Unknown" */

/* --- headers with structure --- */

struct rtsp_transport {
    bool is_tcp; /* profile says TCP, or interleaved is there */
    bool is_multicast;
    bool is_record; /* mode=record */
    bool has_interleaved, has_client_port, has_server_port, has_port, has_ssrc;
    uint8_t interleaved[2];
    uint16_t client_port[2];
    uint16_t server_port[2];
    uint16_t port[2]; /* multicast */
    uint32_t ssrc;    /* to log, never to filter by */
    uint8_t ttl;      /* 0 = not given */
    char source[64];  /* "" = not given */
    char destination[64];
};

/* Takes the next alternative of a Transport value, which is a comma list in requests; false at the
 * end. Alternatives that are not RTP are passed over. */
bool rtsp_transport_next(struct span *list, struct rtsp_transport *out);

/* The form cameras like: no mode, no blanks. */
void rtsp_transport_print(const struct rtsp_transport *t, struct buf *out);

#define RTSP_SESSION_BYTES 128
struct rtsp_session {
    char id[RTSP_SESSION_BYTES]; /* may be "" */
    int timeout_s;               /* 0 = not given; "timeout=0" reads as 60 */
};
void rtsp_session_parse(struct span value, struct rtsp_session *out);

#endif
