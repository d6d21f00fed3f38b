/* The process seen from outside: load, limits, the service manager.
 * Thread: any. */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stdint.h>

struct process_load {
    double cpu_s; /* user and system, of all threads, without the workers */
    int64_t rss_bytes;
    int n_fds, n_threads;
};
void process_load(struct process_load *out);

/* Raises the number of descriptors as far as it is allowed to. */
void process_raise_limits(void);

/* "READY=1" and the like to the service manager, when there is one (sd_notify's datagram). */
void process_notify(const char *state);

#endif
