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

/* Raises the number of descriptors as far as it is allowed to. How many there may be. */
int process_raise_limits(void);

/* What the descriptors are for. Cameras get what is left, so that a fleet that is too large for its
 * limit cannot take what the API and the catalogue live on. */
struct process_files {
    int n_allowed;
    int n_pages;   /* HTTP connections; each may have a file open, too */
    int n_cameras; /* descriptors for cameras, and for what is recorded of them */
};
/* n_used: open when everything but HTTP connections and cameras is there. */
void process_share_files(int n_allowed, int n_used, struct process_files *out);

/* "READY=1" and the like to the service manager, when there is one (sd_notify's datagram). */
void process_notify(const char *state);

#endif
