/* One socket to a peer, plain or TLS: the part of a link that a tunnel has twice.
 *
 *   CLOSED ─► CONNECT ─► SECURE ─► READY      any ─► CLOSED by wire_close, ─► FAILED
 *
 * CONNECT  fd is connecting; watched for writing.
 * SECURE   the TLS handshake goes on; left out without TLS.
 * READY    `opened` was told; watched for reading.
 * FAILED   `opened` tells, or has told, why; fd stays until wire_close.
 *
 * Thread: belongs to one loop. Events come from the loop, never from within a call.
 * Lifetime: in place, inside an object that outlives the current dispatch after wire_close
 * (loop_defer); closing and opening again are legal in every event. */
#ifndef INGEST_WIRE_H
#define INGEST_WIRE_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "net/socket.h"
#include "net/tls_client.h"

enum wire_state { WIRE_CLOSED, WIRE_CONNECT, WIRE_SECURE, WIRE_READY, WIRE_FAILED };

struct wire_events {
    void (*opened)(void *ctx, const struct err *err); /* once per wire_open; NULL = READY */
    void (*readable)(void *ctx);                      /* READY: wire_read may give something */
    void (*writable)(void *ctx); /* READY: after wire_write gave -EAGAIN, once */
};

struct wire {
    struct loop *loop;
    const struct wire_events *events;
    void *ctx;
    enum wire_state state;
    int fd; /* -1 = CLOSED */
    struct address peer;
    struct tls_client *tls_client; /* NULL = plain */
    const char *host, *instead;
    struct tls_session *tls;
    struct watch reader, writer;
    struct err err; /* FAILED */
    bool is_told;   /* `opened` was called */
    bool read_waits_for_write, write_waits_for_read;
    bool is_read_queued, is_write_queued; /* the end of the turn tells */
};

/* `events` and `ctx` must outlive the wire. */
void wire_init(struct wire *w, struct loop *loop, const struct wire_events *events, void *ctx);

/* Connects, and speaks TLS if `tls` is not NULL: to `host`, while messages advise to try `instead`
 * ("rtsp://"). Both texts are borrowed until wire_close. */
void wire_open(struct wire *w, const struct address *to, struct tls_client *tls, const char *host,
               const char *instead);

/* READY at once on a connected socket, which it takes over. No `opened`. */
void wire_adopt(struct wire *w, int fd);

void wire_close(struct wire *w);

/* READY only. Bytes, -EAGAIN, ERR_EOF, ERR_PROTOCOL (TLS) or -Exxx. Plain: one system call. TLS:
 * all that has come, as far as it fits; `readable` follows when more is held back. */
ssize_t wire_read(struct wire *w, void *dst, size_t cap);

/* READY only. Bytes taken, perhaps fewer; -EAGAIN: `writable` follows, and the next write begins
 * with the same bytes; else an error as of wire_read. */
ssize_t wire_write(struct wire *w, const void *p, size_t n);

/* What an open wire that is not READY waits for, half a sentence: "no answer from 10.0.0.1:554
 * within 5 s". */
void wire_print_wait(const struct wire *w, int waited_s, char *dst, size_t cap);

#endif
