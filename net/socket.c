#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static struct sockaddr_in *v4(struct address *a)
{
    return (struct sockaddr_in *)(void *)&a->sa;
}

static struct sockaddr_in6 *v6(struct address *a)
{
    return (struct sockaddr_in6 *)(void *)&a->sa;
}

static const struct sockaddr_in *v4c(const struct address *a)
{
    return (const struct sockaddr_in *)(const void *)&a->sa;
}

static const struct sockaddr_in6 *v6c(const struct address *a)
{
    return (const struct sockaddr_in6 *)(const void *)&a->sa;
}

static struct sockaddr *any(struct address *a)
{
    return (struct sockaddr *)(void *)&a->sa;
}

static const struct sockaddr *anyc(const struct address *a)
{
    return (const struct sockaddr *)(const void *)&a->sa;
}

static bool parse_v6(const char *host, uint16_t port, struct address *out)
{
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
    if (!str_copy(text, sizeof text, host))
        return false;
    char *zone = strchr(text, '%');
    unsigned scope = 0;
    if (zone) {
        *zone++ = 0;
        uint64_t n = 0;
        scope = span_u64(span_of(zone), &n) && n <= UINT32_MAX ? (unsigned)n : if_nametoindex(zone);
        if (scope == 0)
            return false;
    }
    struct sockaddr_in6 *sa = v6(out);
    if (inet_pton(AF_INET6, text, &sa->sin6_addr) != 1)
        return false;
    sa->sin6_family = AF_INET6;
    sa->sin6_port = htons(port);
    sa->sin6_scope_id = scope;
    out->len = sizeof *sa;
    return true;
}

int address_parse(const char *host, uint16_t port, struct address *out)
{
    *out = (struct address){0};
    char inner[128];
    size_t n = strlen(host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        if (!span_copy((struct span){host + 1, n - 2}, inner, sizeof inner))
            return ERR_PARSE;
        host = inner;
    }
    struct sockaddr_in *sa = v4(out);
    if (inet_pton(AF_INET, host, &sa->sin_addr) == 1) {
        sa->sin_family = AF_INET;
        sa->sin_port = htons(port);
        out->len = sizeof *sa;
        return 0;
    }
    if (parse_v6(host, port, out))
        return 0;
    *out = (struct address){0};
    return ERR_PARSE;
}

int address_parse_listen(const char *text, struct address *out, struct err *err)
{
    char host[128] = "";
    const char *colon = strrchr(text, ':');
    const char *port_text = colon ? colon + 1 : text;
    uint64_t port = 0;
    bool is_ok = span_u64(span_of(port_text), &port) && port <= UINT16_MAX;
    if (colon)
        is_ok = span_copy((struct span){text, (size_t)(colon - text)}, host, sizeof host) && is_ok;
    if (is_ok && !host[0])
        str_copy(host, sizeof host, "::");
    if (is_ok && strcmp(host, "localhost") == 0)
        str_copy(host, sizeof host, "127.0.0.1");
    if (is_ok && strcmp(host, "*") == 0)
        str_copy(host, sizeof host, "::");
    /* "::1:80" is ambiguous: IPv6 needs its brackets. */
    if (is_ok && colon && strchr(host, ':') && host[0] != '[' && strcmp(host, "::") != 0)
        is_ok = false;
    if (!is_ok || address_parse(host, (uint16_t)port, out) < 0)
        return err_text(err, ERR_INVALID,
                        "listen address '%s' is not of the form 127.0.0.1:8080 or [::]:8080", text);
    return 0;
}

char *address_print_host(const struct address *a, char *dst, size_t cap)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (a->len && a->sa.ss_family == AF_INET)
        inet_ntop(AF_INET, &v4c(a)->sin_addr, text, sizeof text);
    if (a->len && a->sa.ss_family == AF_INET6) {
        const struct in6_addr *ip = &v6c(a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(ip))
            inet_ntop(AF_INET, ip->s6_addr + 12, text, sizeof text);
        else
            inet_ntop(AF_INET6, ip, text, sizeof text);
    }
    str_copy(dst, cap, text);
    return dst;
}

char *address_print(const struct address *a, char *dst, size_t cap)
{
    char host[ADDRESS_TEXT_BYTES];
    address_print_host(a, host, sizeof host);
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(dst, cap, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "", address_port(a));
    return dst;
}

uint16_t address_port(const struct address *a)
{
    if (a->len == 0)
        return 0;
    return ntohs(a->sa.ss_family == AF_INET ? v4c(a)->sin_port : v6c(a)->sin6_port);
}

void address_set_port(struct address *a, uint16_t port)
{
    if (a->sa.ss_family == AF_INET)
        v4(a)->sin_port = htons(port);
    else
        v6(a)->sin6_port = htons(port);
}

bool address_is_loopback(const struct address *a)
{
    if (a->len == 0)
        return false;
    if (a->sa.ss_family == AF_INET)
        return ntohl(v4c(a)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *ip = &v6c(a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
}

bool address_same_host(const struct address *a, const struct address *b)
{
    char x[ADDRESS_TEXT_BYTES];
    char y[ADDRESS_TEXT_BYTES];
    return a->len > 0 && b->len > 0 &&
           strcmp(address_print_host(a, x, sizeof x), address_print_host(b, y, sizeof y)) == 0;
}

static int open_socket(int family, int type, struct err *err)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? err_set(err, -errno, "open a socket") : fd;
}

/* Closes fd and returns the error of the call that has just failed. */
static int fail_close(int fd, struct err *err, const char *what, const struct address *a)
{
    int code = -errno;
    char text[ADDRESS_TEXT_BYTES];
    close(fd);
    return err_set(err, code, "%s %s", what, address_print(a, text, sizeof text));
}

int socket_connect(const struct address *to, struct err *err)
{
    int fd = open_socket(to->sa.ss_family, SOCK_STREAM, err);
    if (fd < 0)
        return fd;
    if (connect(fd, anyc(to), to->len) < 0 && errno != EINPROGRESS)
        return fail_close(fd, err, "connect to", to);
    return fd;
}

int socket_connect_result(int fd)
{
    int code = 0;
    socklen_t n = sizeof code;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &n) < 0)
        return -errno;
    return -code;
}

static void set_int(int fd, int level, int name, int value)
{
    int rc = setsockopt(fd, level, name, &value, sizeof value);
    (void)rc;
}

int socket_listen(const struct address *at, int backlog, bool is_shared, struct err *err)
{
    int fd = open_socket(at->sa.ss_family, SOCK_STREAM, err);
    if (fd < 0)
        return fd;
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (is_shared)
        set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (at->sa.ss_family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, anyc(at), at->len) < 0 || listen(fd, backlog) < 0)
        return fail_close(fd, err, "listen on", at);
    return fd;
}

int socket_accept(int listener, struct address *out_peer)
{
    struct address peer = {.len = sizeof peer.sa};
    int fd = accept4(listener, any(&peer), &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (out_peer)
        *out_peer = peer;
    return fd;
}

int socket_local(int fd, struct address *out)
{
    *out = (struct address){.len = sizeof out->sa};
    return getsockname(fd, any(out), &out->len) < 0 ? -errno : 0;
}

int socket_udp(const struct address *local, struct err *err)
{
    int fd = open_socket(local->sa.ss_family, SOCK_DGRAM, err);
    if (fd < 0)
        return fd;
    if (local->sa.ss_family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, anyc(local), local->len) < 0)
        return fail_close(fd, err, "bind UDP", local);
    return fd;
}

/* The kernel picks a port; its even or odd partner must be free too. */
static bool try_pair(const struct address *local_host, int fd[2], uint16_t *out_port)
{
    struct address a = *local_host;
    address_set_port(&a, 0);
    int first = socket_udp(&a, NULL);
    if (first < 0)
        return false;
    uint16_t port = socket_local(first, &a) == 0 ? address_port(&a) : 0;
    address_set_port(&a, port ^ 1);
    int second = port ? socket_udp(&a, NULL) : -1;
    if (second < 0) {
        close(first);
        return false;
    }
    fd[port & 1] = first;
    fd[!(port & 1)] = second;
    *out_port = port & 0xfffe;
    return true;
}

int socket_udp_pair(const struct address *local_host, int out_fd[2], uint16_t *out_port,
                    struct err *err)
{
    enum { TRIES = 64 };
    for (int i = 0; i < TRIES; i++) {
        if (try_pair(local_host, out_fd, out_port))
            return 0;
    }
    return err_set(err, ERR_BUSY, "find a pair of UDP ports");
}

void socket_set_nodelay(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void socket_set_keepalive(int fd, int idle_s)
{
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, MAX(idle_s, 1));
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, MAX(idle_s / 3, 1));
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void socket_set_user_timeout(int fd, int ms)
{
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ms);
}

void socket_set_rcvbuf(int fd, int bytes)
{
    set_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

void socket_set_rcvlowat(int fd, int bytes)
{
    set_int(fd, SOL_SOCKET, SO_RCVLOWAT, bytes);
}

void socket_set_sndbuf(int fd, int bytes)
{
    set_int(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}
