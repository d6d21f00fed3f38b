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
    err->code = code;
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
    err->code = code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
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
    return code;
}

void err_clear(struct err *err)
{
    if (!err)
        return;
    err->code = 0;
    err->msg[0] = 0;
}
