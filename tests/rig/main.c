/* rookery-camsim: many RTSP cameras in one process. */
#include <signal.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "camsim.h"
#include "net/http.h"

static void on_signal(void *ctx, int fd, short what)
{
    struct signalfd_siginfo info;
    (void)what;
    if (read(fd, &info, sizeof info) == sizeof info)
        loop_stop(ctx);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void announce(const struct camsim *sim)
{
    printf("ready: %zu cameras, rtsp://%s:%u/%s", sim->config->n_cameras, sim->config->address,
           sim->common.fd >= 0 ? sim->common.port : sim->cameras[0].listener->port,
           sim->config->cameras[0].id);
    if (sim->control)
        printf(", control http://%s:%u", sim->config->address, http_server_port(sim->control));
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    struct camsim *sim = NULL;
    log_setup(LOG_INFO, false);
    config_init(&config);
    int rc = config_from_args(&config, argc, argv, &err);
    if (rc != 0) {
        if (rc < 0)
            fprintf(stderr, "rookery-camsim: %s\n", err.msg);
        config_fini(&config);
        return rc < 0 ? 2 : 0;
    }
    int signals = open_signals();
    struct watch signal_watch = {0};
    struct loop *loop = loop_create(&(struct loop_params){.name = "camsim"});
    watch_start(&signal_watch, loop, signals, WATCH_READ, on_signal, loop);
    rc = camsim_create(&config, loop, &sim, &err);
    if (rc < 0) {
        fprintf(stderr, "rookery-camsim: %s\n", err.msg);
    } else {
        announce(sim);
        loop_run(loop);
    }
    camsim_destroy(&sim);
    watch_stop(&signal_watch);
    close(signals);
    loop_destroy(&loop);
    config_fini(&config);
    return rc < 0 ? 1 : 0;
}
