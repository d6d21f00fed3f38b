#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int spawn(const char *path, int child_fd, pid_t *out_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    /* dup2 onto itself keeps close-on-exec; move_up sees to it that the far end is never 3 */
    posix_spawn_file_actions_adddup2(&actions, child_fd, CHILD_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, CHILD_FD + 1);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    char *envp[] = {NULL};
    int rc = posix_spawn(out_pid, path, &actions, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return -rc;
}

/* Descriptors 0-3 would collide with what the child gets. */
static int move_up(int fd)
{
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 16);
    int rc = up < 0 ? -errno : up;
    close(fd);
    return rc;
}

static void on_reapable(void *ctx, int fd, short what)
{
    struct child *c = ctx;
    (void)fd, (void)what;
    int status = 0;
    if (waitpid(c->pid, &status, WNOHANG) == 0)
        return;
    watch_stop(&c->reaping);
    timer_disarm(&c->grace);
    close(c->pid_fd);
    c->pid_fd = -1;
    c->pid = 0;
    c->ended(c->ctx, status);
}

static void on_grace_over(void *ctx)
{
    struct child *c = ctx;
    kill(c->pid, SIGKILL); /* not reaped yet: nobody else has its id */
}

/* The process is there; 0 when its end will be noticed. */
static int watch_end(struct child *c)
{
    c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pid_fd < 0) {
        int rc = -errno;
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0); /* at once: it was just killed */
        c->pid = 0;
        return rc;
    }
    timer_init(&c->grace, c->loop, on_grace_over, c);
    watch_start(&c->reaping, c->loop, c->pid_fd, WATCH_READ, on_reapable, c);
    return 0;
}

static int make_pair(int socket_bytes, int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    for (int i = 0; i < 2 && socket_bytes > 0; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &socket_bytes, sizeof socket_bytes);
    pair[1] = move_up(pair[1]);
    if (pair[1] >= 0)
        return 0;
    close(pair[0]);
    return pair[1];
}

int child_start(struct child *c, const struct child_params *params, int *out_fd, struct err *err)
{
    assert(c->pid == 0);
    *c = (struct child){
        .loop = params->loop, .ended = params->ended, .ctx = params->ctx, .pid_fd = -1};
    int pair[2];
    int rc = make_pair(params->socket_bytes, pair);
    if (rc < 0)
        return err_set(err, rc, "start %s", params->path);
    rc = spawn(params->path, pair[1], &c->pid);
    close(pair[1]);
    if (rc == 0)
        rc = watch_end(c);
    if (rc < 0) {
        close(pair[0]);
        return err_set(err, rc, "start %s", params->path);
    }
    *out_fd = pair[0];
    return 0;
}

void child_stop(struct child *c, int64_t grace_ms)
{
    if (c->pid == 0)
        return;
    if (grace_ms > 0)
        timer_arm_ms(&c->grace, grace_ms);
    else
        kill(c->pid, SIGKILL);
}
