/* A page may say anything: lines of input are messages to a wall that knows one camera. */
#include "base/err.h"
#include "base/str.h"
#include "delivery/wall_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int resolve(void *ctx, void *user, const char *camera, const char *stream,
                   enum wall_action action, struct wall_grant *out)
{
    (void)ctx, (void)user, (void)stream, (void)action;
    out->stream[0] = 'm';
    return camera[0] == 'c' ? 0 : ERR_NOT_FOUND;
}
static void on_text(void *io, const char *p, size_t n)
{
    (void)io, (void)p, (void)n;
}
static size_t pending(void *io)
{
    return (void)io, 0;
}
static void on_close(void *io, int code, const char *reason)
{
    (void)io, (void)code, (void)reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wall_io_ops ops = {on_text, NULL, pending, on_close};
    struct loop *loop = loop_create(NULL);
    struct wall_host host = {.resolve = resolve};
    struct wall *wall = wall_create(&(struct wall_params){.loop = loop, .host = &host});
    struct wall_conn *conn = wall__conn_create(wall, &ops, NULL, NULL);
    struct span rest = {(const char *)data, size}, line;
    while (span_cut(&rest, '\n', &line))
        wall__conn_text(conn, line.p, line.n);
    wall_stop(wall, NULL, NULL);
    wall__conn_gone(conn);
    loop_destroy(&loop);
    return 0;
}
