#include <errno.h>

#include "base/log.h"
#include "camsim.h"
#include "client.h"

#define BACKLOG         1024
#define ACCEPT_PER_TURN 64

static void on_connection(void *ctx, int fd, short what)
{
    struct listener *l = ctx;
    (void)what;
    for (int i = 0; i < ACCEPT_PER_TURN; i++) {
        struct address peer;
        int conn = socket_accept(fd, &peer);
        if (conn < 0) {
            if (conn != -EAGAIN)
                log_error("camsim", "accept: %s", err_name(conn));
            return;
        }
        client_accept(l->sim, l->camera, conn, &peer);
    }
}

int listener_open(struct listener *l, struct err *err)
{
    struct address at;
    const char *address = l->address[0] ? l->address : l->sim->config->address;
    int rc = address_parse(address, l->port, &at);
    if (rc < 0)
        return err_set(err, rc, "address %s", address);
    l->fd = socket_listen(&at, BACKLOG, false, err);
    if (l->fd < 0)
        return l->fd;
    if (socket_local(l->fd, &at) >= 0)
        l->port = address_port(&at);
    watch_start(&l->watch, l->sim->loop, l->fd, WATCH_READ, on_connection, l);
    return 0;
}

void listener_close(struct listener *l)
{
    if (l->fd < 0)
        return;
    watch_stop(&l->watch);
    close(l->fd);
    l->fd = -1;
}
