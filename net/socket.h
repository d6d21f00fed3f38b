/* Sockets: non-blocking, close-on-exec, numeric addresses only (names: net/resolve.h).
 * Thread: any; descriptors belong to the caller. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct address {
    struct sockaddr_storage sa;
    socklen_t len; /* 0 = none */
};

#define ADDRESS_TEXT_BYTES 64

/* A numeric host ("10.0.0.1", "::1", "fe80::1%eth0", also in brackets) and a port. ERR_PARSE when
 * it is a name. */
int address_parse(const char *host, uint16_t port, struct address *out);

/* "127.0.0.1:8080" or "[::]:80"; a bare ":80" or "80" means every address. */
int address_parse_listen(const char *text, struct address *out, struct err *err);

char *address_print(const struct address *a, char *dst, size_t cap); /* with port; returns dst */
char *address_print_host(const struct address *a, char *dst, size_t cap); /* IPv4-mapped as IPv4 */
uint16_t address_port(const struct address *a);
void address_set_port(struct address *a, uint16_t port);
bool address_is_loopback(const struct address *a);
bool address_same_host(const struct address *a, const struct address *b);

/* Starts connecting. The descriptor becomes writable when it is decided: then ask
 * socket_connect_result. fd or < 0. */
int socket_connect(const struct address *to, struct err *err);

/* 0 = connected, else why not (-ECONNREFUSED, …). */
int socket_connect_result(int fd);

/* fd or < 0. is_shared: SO_REUSEPORT, several loops may listen on one port. */
int socket_listen(const struct address *at, int backlog, bool is_shared, struct err *err);

/* fd, -EAGAIN when nobody waits, or another error. */
int socket_accept(int listener, struct address *out_peer);

int socket_local(int fd, struct address *out);

/* Two UDP sockets on an even port and the odd one above it, for RTP and RTCP, on the address given;
 * out_port is the even one. ERR_BUSY when no pair is free after a bounded number of tries. */
int socket_udp_pair(const struct address *local_host, int out_fd[2], uint16_t *out_port,
                    struct err *err);
int socket_udp(const struct address *local, struct err *err); /* one socket; port 0 allowed */

/* Options; failures are ignored, they only cost comfort. */
void socket_set_nodelay(int fd);
void socket_set_keepalive(int fd, int idle_s); /* then every idle_s / 3, three times */
void socket_set_user_timeout(int fd, int ms);  /* give up unacknowledged data; also a zero window */
void socket_set_rcvbuf(int fd, int bytes);
void socket_set_rcvlowat(int fd, int bytes);
void socket_set_sndbuf(int fd, int bytes);

#endif
