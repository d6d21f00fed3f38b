/* TLS to a peer that listens (OpenSSL): what every session has in common, and one session on a
 * connected non-blocking socket.
 *
 * Made for cameras, so it takes what cameras have:
 * - Any certificate is accepted. A camera makes its own, for no name or for a factory's, replaces
 *   it at every reset and lets it expire; there is nobody to ask whether it is right. What TLS
 * gives here is that nobody who only listens sees pictures or passwords; somebody who can put
 * himself in between can. Who needs more keeps the cameras in a network of their own.
 * - TLS 1.0 and later with any cipher that encrypts, also where OpenSSL as installed says no: old
 *   cameras have nothing better, and the other choice they leave is none at all. The best that both
 *   sides have is used.
 *
 * Thread: struct tls_client is created and destroyed anywhere and used by any loop in between; a
 * session belongs to one loop. */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tls_client;
struct tls_session;

int tls_client_create(struct tls_client **out, struct err *err);
void tls_client_destroy(struct tls_client **client); /* sessions may outlive it */

/* On fd, which stays the caller's. `host` goes out as server name (SNI) unless it is an address.
 * NULL when there is no memory. */
struct tls_session *tls_session_create(struct tls_client *client, int fd, const char *host);

/* To be called until it is decided: 0 = done; -EAGAIN = call again when the socket is readable, or
 * writable if tls_session_wants_write. ERR_PARSE = what the peer says is not TLS; ERR_EOF, -Exxx =
 * the connection ended; ERR_PROTOCOL = the peers found nothing in common: err holds OpenSSL's few
 * words ("no protocols available"). */
int tls_session_handshake(struct tls_session *s, struct err *err);

/* Reads until the socket has no more or cap is full, so that nothing decrypted waits unseen. Bytes,
 * -EAGAIN as above, ERR_EOF, ERR_PROTOCOL or -Exxx. */
ssize_t tls_session_read(struct tls_session *s, void *dst, size_t cap);

/* Bytes that were taken, at most a record at once, or as above. After -EAGAIN the next write begins
 * with the same bytes; they may lie elsewhere, and more may follow them. */
ssize_t tls_session_write(struct tls_session *s, const void *p, size_t n);

/* Whether the last -EAGAIN waits for the socket to become writable. */
bool tls_session_wants_write(const struct tls_session *s);

/* Whether a read may give something that no poll of the socket will report. */
bool tls_session_has_more(const struct tls_session *s);

/* Says goodbye when the socket takes it. NULL inside is accepted. */
void tls_session_destroy(struct tls_session **s);

#endif
