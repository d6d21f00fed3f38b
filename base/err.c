#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const char *own_name(int code)
{
    switch ((enum err_code)code) {
    case ERR_PARSE:
        return "malformed";
    case ERR_TOO_BIG:
        return "too big";
    case ERR_EOF:
        return "end of stream";
    case ERR_AUTH:
        return "wrong user or password";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_BUSY:
        return "busy or at its limit";
    case ERR_UNSUPPORTED:
        return "not supported";
    case ERR_PROTOCOL:
        return "protocol violation";
    case ERR_CONFLICT:
        return "conflicts with what exists";
    case ERR_INVALID:
        return "invalid value";
    case ERR_FORBIDDEN:
        return "not allowed";
    case ERR_DNS:
        return "host name does not resolve";
    case ERR_NO_VIDEO:
        return "no usable video";
    case ERR_CLOSED:
        return "shutting down";
    }
    return NULL;
}

const char *err_name(int code)
{
    const char *name = own_name(code);
    if (!name && code != 0)
        name = strerrordesc_np(code < 0 ? -code : code);
    if (!name)
        name = code == 0 ? "success" : "unknown error";
    return name;
}

/* Puts ": <tail>" behind the n bytes that are there, as far as there is room. */
static void add_tail(struct err *err, int n, const char *tail)
{
    if (n < 0 || (size_t)n >= sizeof err->msg)
        return;
    size_t room = sizeof err->msg - (size_t)n;
    if (room <= 2)
        return;
    memcpy(err->msg + n, ": ", 2);
    size_t len = strnlen(tail, room - 3);
    memcpy(err->msg + n + 2, tail, len);
    err->msg[(size_t)n + 2 + len] = 0;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    *err = (struct err){.code = code};
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    add_tail(err, n, err_name(code));
    return code;
}

int err_text(struct err *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    *err = (struct err){.code = code};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

/* How long the first n bytes of the format become; -1 when it cannot be said. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the head of a format that was checked */
static int printed_len(const char *fmt, size_t n, va_list ap)
{
    char head[ERR_MSG_BYTES];
    if (n >= sizeof head)
        return -1;
    memcpy(head, fmt, n);
    head[n] = 0;
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, head, again);
    va_end(again);
    return len;
}
#pragma GCC diagnostic pop

/* Length of the conversion at fmt, which begins with a percent sign. */
static size_t conversion_len(const char *fmt)
{
    return 1 + strcspn(fmt + 1, "%diouxXcsfgepaEGA") + 1;
}

static void note_values(struct err *err, const char *fmt, va_list ap)
{
    const char *p = fmt;
    while (err->n_values < ERR_MAX_VALUES && (p = strchr(p, '%')) != NULL) {
        size_t n = conversion_len(p);
        if (p[1] != '%') {
            int at = printed_len(fmt, (size_t)(p - fmt), ap);
            int end = printed_len(fmt, (size_t)(p - fmt) + n, ap);
            if (at < 0 || end < at || (size_t)end >= sizeof err->msg)
                return;
            err->values[err->n_values++] =
                (struct err_value){(unsigned short)at, (unsigned short)(end - at)};
        }
        p += n;
    }
}

int err_vsay(struct err *err, int code, const char *word, const char *fmt, va_list ap)
{
    if (!err)
        return code;
    *err = (struct err){.code = code, .word = word};
    note_values(err, fmt, ap);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    return code;
}

int err_say(struct err *err, int code, const char *word, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vsay(err, code, word, fmt, ap);
    va_end(ap);
    return code;
}

/* Without the character at the end that was cut in the middle. */
static size_t whole_chars(const char *s, size_t n)
{
    size_t at = n;
    while (at > 0 && n - at < 3 && ((unsigned char)s[at - 1] & 0xc0) == 0x80)
        at--;
    unsigned char lead = at > 0 ? (unsigned char)s[at - 1] : 0;
    size_t needs = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return lead >= 0xc0 && n - at + 1 < needs ? at - 1 : n;
}

void err_value(const struct err *err, unsigned i, char *out, size_t size)
{
    out[0] = 0;
    if (i >= err->n_values)
        return;
    struct err_value f = err->values[i];
    size_t room = sizeof err->msg - 1 - f.at;
    size_t len = f.len < room ? f.len : room;
    len = whole_chars(err->msg + f.at, len < size - 1 ? len : size - 1);
    memcpy(out, err->msg + f.at, len);
    out[len] = 0;
}

/* The message moved n bytes to the right: its values with it; those that fell off are none. */
static void move_values(struct err *err, int n)
{
    unsigned kept = 0;
    for (; kept < err->n_values && n >= 0; kept++) {
        size_t at = err->values[kept].at + (size_t)n;
        if (at + err->values[kept].len >= sizeof err->msg)
            break;
        err->values[kept].at = (unsigned short)at;
    }
    err->n_values = kept;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    char inner[ERR_MSG_BYTES];
    memcpy(inner, err->msg, sizeof inner);
    inner[sizeof inner - 1] = 0;
    err->code = code;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    add_tail(err, n, inner);
    move_values(err, n + 2);
    return code;
}

void err_clear(struct err *err)
{
    if (!err)
        return;
    *err = (struct err){0};
}
