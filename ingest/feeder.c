#include "ingest/feeder.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"

#define OPEN_MS      10000
#define SILENCE_MS   8000 /* before the stream itself would say less about it */
#define GRACE_MS     1000
#define SOCKET_BYTES (512 << 10) /* a large picture goes through without a pause */

/* Over the socket and not in arguments or environment, which other users of the machine can see. */
static int send_job(int fd, const struct feeder_params *params, struct err *err)
{
    struct remux_job job = {.open_ms = OPEN_MS, .silence_ms = SILENCE_MS};
    struct url url = *params->url;
    struct buf out;
    int rc = 0;
    str_copy(url.user, sizeof url.user, params->user);
    str_copy(url.password, sizeof url.password, params->password);
    buf_init(&out, 0);
    if (!url_print_full(&url, job.address, sizeof job.address))
        rc = err_text(err, ERR_TOO_BIG, "the address is too long");
    else
        remux_job_print(&job, &out);
    if (rc == 0 && send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)out.len)
        rc = err_set(err, -errno, "tell rookery-remux its job");
    if (out.data)
        explicit_bzero(out.data, out.len);
    buf_fini(&out);
    explicit_bzero(&job, sizeof job);
    explicit_bzero(&url, sizeof url);
    return rc;
}

int feeder_start(struct feeder *f, const struct feeder_params *params, int *out_fd, struct err *err)
{
    struct child_params child = {.loop = params->loop,
                                 .path = params->path,
                                 .socket_bytes = SOCKET_BYTES,
                                 .ended = params->ended,
                                 .ctx = params->ctx};
    int fd = -1;
    int rc = child_start(&f->child, &child, &fd, err);
    if (rc < 0)
        return rc;
    rc = send_job(fd, params, err);
    if (rc < 0) {
        close(fd);
        child_stop(&f->child, 0); /* `ended` follows */
        return rc;
    }
    *out_fd = fd;
    return 0;
}

void feeder_stop(struct feeder *f)
{
    child_stop(&f->child, GRACE_MS);
}
