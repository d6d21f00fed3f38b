#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define LOG_MSG_BYTES  2048
#define LOG_LINE_BYTES (6 * LOG_MSG_BYTES) /* every byte escaped, and the frame around it */

static _Atomic int sink_level = LOG_INFO;
static _Atomic bool sink_is_json;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, bool is_json)
{
    atomic_store(&sink_level, (int)level);
    atomic_store(&sink_is_json, is_json);
}

void log_set_level(enum log_level level)
{
    atomic_store(&sink_level, (int)level);
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

/* Control bytes never reach a terminal or break a line; returns bytes written. */
static size_t escape(char *dst, size_t cap, const char *s, bool is_json)
{
    size_t n = 0;
    for (; *s && n + 7 < cap; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(dst + n, cap - n, is_json ? "\\u%04x" : "\\x%02x", c);
        else if (is_json && (c == '"' || c == '\\'))
            n += (size_t)snprintf(dst + n, cap - n, "\\%c", c);
        else
            dst[n++] = (char)c;
    }
    dst[n] = 0;
    return n;
}

static size_t put(char *dst, size_t cap, size_t n, const char *s)
{
    size_t len = strlen(s);
    if (len >= cap - n)
        len = cap - n - 1;
    memcpy(dst + n, s, len);
    return n + len;
}

void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    char msg[LOG_MSG_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);

    bool is_json = atomic_load_explicit(&sink_is_json, memory_order_relaxed);
    char when[CLOCK_RFC3339_BYTES];
    rfc3339_print(clock_wall_us(clock_system()), when);
    char line[LOG_LINE_BYTES + 1024];
    size_t n = 0;
    const char *const *part = is_json
                                  ? (const char *const[]){"{\"time\":\"", "\",\"level\":\"",
                                                          "\",\"who\":\"", "\",\"msg\":\"", "\"}\n"}
                                  : (const char *const[]){"", " ", " ", ": ", "\n"};
    n = put(line, sizeof line, n, part[0]);
    n = put(line, sizeof line, n, when);
    n = put(line, sizeof line, n, part[1]);
    n = put(line, sizeof line, n, level_names[level]);
    n = put(line, sizeof line, n, part[2]);
    n += escape(line + n, 512, who ? who : "-", is_json);
    n = put(line, sizeof line, n, part[3]);
    n += escape(line + n, LOG_LINE_BYTES, msg, is_json);
    n = put(line, sizeof line, n, part[4]);
    /* One write per line: lines of several threads do not mix, and no lock is held. */
    ssize_t rc = write(STDERR_FILENO, line, n);
    (void)rc;
}

bool log_every(struct log_every *e, int64_t mono_us, uint64_t *out_skipped)
{
    if (mono_us < e->next_mono_us) {
        e->n_skipped++;
        return false;
    }
    if (out_skipped)
        *out_skipped = e->n_skipped;
    e->n_skipped = 0;
    e->next_mono_us = mono_us + US_PER_S;
    return true;
}
