/* TLS in front of the simulator, as if its cameras spoke it: what comes in is decrypted and passed
 * on to the same address at another port, and back. Makes its certificate itself.
 * usage: tls_front FOLDER CAMSIM_PORT ADDRESS...    prints "ready: PORT", one for all addresses */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/loop.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/socket.h"
#include "net/tls.h"

#define WAITING_BYTES (1u << 20) /* for a side that does not read */

struct front {
    struct loop *loop;
    struct tls *tls;
    uint16_t camsim_port;
};

struct side {
    struct pair *pair;
    struct conn *conn;
    struct side *other;
};

/* One camera's connection. */
struct pair {
    struct loop *loop;
    struct side outer, inner;
};

static size_t on_data(void *ctx, const uint8_t *data, size_t n)
{
    struct side *side = ctx;
    if (side->other->conn) {
        conn_write(side->other->conn, data, n);
        if (conn_pending(side->other->conn) > WAITING_BYTES)
            conn_pause(side->conn);
    }
    return n;
}

static void on_drained(void *ctx)
{
    struct side *side = ctx;
    if (side->other->conn)
        conn_resume(side->other->conn);
}

static void free_pair(void *ctx)
{
    free(ctx);
}

static void on_closed(void *ctx, int code)
{
    struct side *side = ctx;
    (void)code;
    conn_close(&side->pair->outer.conn);
    conn_close(&side->pair->inner.conn);
    loop_defer(side->pair->loop, free_pair, side->pair);
}

static void open_side(struct side *side, struct pair *pair, struct side *other, int fd,
                      struct tls *tls)
{
    socket_set_nodelay(fd);
    side->pair = pair;
    side->other = other;
    side->conn = conn_create(&(struct conn_params){.loop = pair->loop,
                                                   .fd = fd,
                                                   .tls = tls,
                                                   .data = on_data,
                                                   .drained = on_drained,
                                                   .closed = on_closed,
                                                   .ctx = side});
}

static void on_accept(void *ctx, int listener, short what)
{
    struct front *f = ctx;
    struct address peer;
    struct address at;
    (void)what;
    int outer = socket_accept(listener, &peer);
    if (outer < 0)
        return;
    int inner = -1;
    if (socket_local(outer, &at) == 0) {
        address_set_port(&at, f->camsim_port);
        inner = socket_connect(&at, NULL);
    }
    if (inner < 0) {
        close(outer);
        return;
    }
    struct pair *pair = xcalloc(1, sizeof *pair);
    pair->loop = f->loop;
    open_side(&pair->outer, pair, &pair->inner, outer, f->tls);
    open_side(&pair->inner, pair, &pair->outer, inner, NULL);
}

/* The port, or < 0. */
static int listen_at(struct front *f, struct watch *w, const char *host, int port)
{
    struct address at;
    int fd = address_parse(host, (uint16_t)port, &at);
    fd = fd < 0 ? fd : socket_listen(&at, 512, false, NULL);
    if (fd < 0 || socket_local(fd, &at) < 0)
        return -EADDRINUSE;
    watch_start(w, f->loop, fd, WATCH_READ, on_accept, f);
    return address_port(&at);
}

int main(int argc, char **argv)
{
    struct front f = {0};
    struct err err = {0};
    char cert[512];
    char key[512];
    int port = 0;
    if (argc < 4)
        return 2;
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    snprintf(cert, sizeof cert, "%s/front.crt", argv[1]);
    snprintf(key, sizeof key, "%s/front.key", argv[1]);
    f.camsim_port = (uint16_t)strtoul(argv[2], NULL, 10);
    f.loop = loop_create(&(struct loop_params){.name = "front"});
    if (tls_make_self_signed(cert, key, "camera", &err) < 0 ||
        tls_create(cert, key, &f.tls, &err) < 0) {
        fprintf(stderr, "tls_front: %s\n", err.msg);
        return 1;
    }
    struct watch *watches = xcalloc((size_t)argc, sizeof *watches);
    for (int i = 3; i < argc && port >= 0; i++)
        port = listen_at(&f, &watches[i], argv[i], port);
    if (port < 0) {
        fprintf(stderr, "tls_front: no port is free on every address\n");
        return 1;
    }
    printf("ready: %d\n", port);
    fflush(stdout);
    loop_run(f.loop); /* until it is killed */
    return 0;
}
