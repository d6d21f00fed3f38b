/* A byte stream to a camera, whatever carries it:
 *
 *   rtsp://     a TCP connection
 *   rtsps://    TLS on it
 *   rtsph://    two HTTP connections, one for each direction (ingest/tunnel.h)
 *   rtspsh://   the same over TLS
 *   an adopted descriptor that is connected already: an encoder that came to us, a socket pair
 *
 * Thread: belongs to one loop. Events come from the loop, never from within a call.
 * Lifetime: until link_close, which is legal in every event; memory goes after the dispatch.
 * Bounds: nothing is read that the owner does not take, but for the head of an HTTP answer
 * (16 KiB); a tunnel holds LINK_OUT_BYTES of what is to be sent. No deadlines: they are
 * the owner's. */
#ifndef INGEST_LINK_H
#define INGEST_LINK_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "net/socket.h"
#include "net/tls_client.h"
#include "net/url.h"

#define LINK_OUT_BYTES (128u << 10)

struct link;

struct link_events {
    /* Exactly once unless link_close comes first; not for an adopted one. NULL = open; else half a
     * sentence and a code: -Exxx of the network, or ERR_PROTOCOL, ERR_AUTH, ERR_NOT_FOUND, ERR_BUSY
     * when the peer was reached. */
    void (*opened)(void *ctx, const struct err *err);
    void (*readable)(void *ctx); /* open: link_read may give something */
};

struct link_params {
    struct loop *loop;
    const struct url *url; /* which kind; host and path of HTTP */
    const struct address *address;
    struct tls_client *tls; /* NULL only where the url asks for none; outlives the link */
    const char *user;       /* for the login of HTTP; "" = none */
    const char *password;
    const struct link_events *events; /* outlives the link */
    void *ctx;
};

/* Never fails at once: `opened` tells. */
struct link *link_open(const struct link_params *params);

/* Takes fd over; open from the beginning. */
struct link *link_adopt(struct loop *loop, int fd, const struct link_events *events, void *ctx);

void link_close(struct link **l);

/* Bytes, -EAGAIN, or < 0: it is over, and link_why says why. Plain: one system call. TLS: takes all
 * that has come as far as it fits; otherwise `readable` follows at once, so that no decrypted byte
 * waits for the network. */
ssize_t link_read(struct link *l, void *dst, size_t cap);

/* Valid after link_read said it is over: half a sentence and its code. */
const struct err *link_why(const struct link *l);

/* Sends what the network takes of `out`, whole messages, and consumes it; the rest follows by
 * itself when there is room. So `out` must live until it is empty or the link is closed, and be
 * the same in every call until then. Failures show at link_read. */
void link_flush(struct link *l, struct buf *out);

/* `readable` comes only when so many bytes are in the socket (or its buffer runs short). It holds
 * back nothing that link_read has seen: with TLS too, what was left decrypted is told at once. */
void link_set_lowat(struct link *l, int bytes);

/* Our end of the connection that receives. 0 or -Exxx. */
int link_local(const struct link *l, struct address *out);

/* Before `opened`, after waiting so long: for what, half a sentence: "no answer from 10.0.0.1:554
 * within 5 s". */
void link_print_wait(const struct link *l, int waited_s, char *dst, size_t cap);

#endif
