/* Failed sign-ins, counted by key (a user, an address, both): after some free tries each further
 * one costs twice the time of the one before.
 * Thread: belongs to one owner. Bounds: FAILURES_MAX keys; then the one longest quiet is
 * forgotten. */
#ifndef SERVER_FAILURES_H
#define SERVER_FAILURES_H

#include <stdint.h>

#define FAILURES_MAX        4096
#define FAILURES_MAX_WAIT_S 300
#define FAILURE_KEY_BYTES   300

struct failures;

struct failures *failures_create(void);
void failures_destroy(struct failures **f);

/* key: shorter than FAILURE_KEY_BYTES. A count starts anew after a long quiet time. */
void failures_note(struct failures *f, const char *key, int n_free_tries, int64_t now_mono_us);
void failures_forget(struct failures *f, const char *key);

/* How long the next try must wait; 0 = it may come now. */
int failures_wait_s(const struct failures *f, const char *key, int64_t now_mono_us);

#endif
