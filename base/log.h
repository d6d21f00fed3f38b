/* Logging. One line per event on standard error, text or JSON; every line says who it is about.
 * Thread: any. The sink is the only mutable global outside server/. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Call before any thread starts. */
void log_setup(enum log_level level, bool is_json);
void log_set_level(enum log_level level); /* [any] */
bool log_is_on(enum log_level level);

/* `who` is the id of the camera, viewer, segment or module the line is about. */
void log_line(enum log_level level, const char *who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(who, ...) log_line(LOG_ERROR, who, __VA_ARGS__)
#define log_warn(who, ...)  log_line(LOG_WARN, who, __VA_ARGS__)
#define log_info(who, ...)  log_line(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...)                                                                        \
    do {                                                                                           \
        if (log_is_on(LOG_DEBUG))                                                                  \
            log_line(LOG_DEBUG, who, __VA_ARGS__);                                                 \
    } while (0)

/* Repeats: true at most once per second per limiter; *out_skipped says how many were held back. */
struct log_every {
    int64_t next_mono_us;
    uint64_t n_skipped;
};
bool log_every(struct log_every *e, int64_t mono_us, uint64_t *out_skipped);

#endif
