/* Errors with context.
 *
 * Functions that can fail return >= 0 for success and < 0 for failure: -Exxx of the system or one
 * of ERR_* below. Those that talk to the outside also fill a struct err; each layer adds its own
 * noun. Thread: a struct err belongs to its caller; nothing is shared. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* Our own codes lie below every errno. */
enum err_code {
    ERR_PARSE = -5001,       /* bytes that are not what they should be */
    ERR_TOO_BIG = -5002,     /* a stated bound would be passed */
    ERR_EOF = -5003,         /* the peer ended in good order */
    ERR_AUTH = -5004,        /* wrong user or password */
    ERR_NOT_FOUND = -5005,   /* the peer or the store does not know the name */
    ERR_BUSY = -5006,        /* a limit of the peer or of ours is reached; later it may work */
    ERR_UNSUPPORTED = -5007, /* well formed, but not something we can do */
    ERR_PROTOCOL = -5008,    /* the peer breaks its protocol */
    ERR_CONFLICT = -5009,    /* clashes with what is stored */
    ERR_INVALID = -5010,     /* a value given by a person is wrong */
    ERR_FORBIDDEN = -5011,   /* known, but not allowed */
    ERR_DNS = -5012,         /* a host name does not resolve */
    ERR_NO_VIDEO = -5013,    /* a session description without usable video */
    ERR_CLOSED = -5014,      /* the object is shutting down */
};

#define ERR_MSG_BYTES  384
#define ERR_MAX_VALUES 4

/* A concrete value in a message: where in msg it stands. */
struct err_value {
    unsigned short at, len;
};

struct err {
    int code;         /* 0 = no error */
    const char *word; /* static: names the sentence in the languages of the web app; NULL = none */
    unsigned n_values;
    struct err_value values[ERR_MAX_VALUES]; /* what the sentence says it about, in order */
    char msg[ERR_MSG_BYTES];
};

/* Fills err (may be NULL) with "<formatted text>: <what code means>" and returns code. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without the trailing meaning, for text that already says it all. */
int err_text(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_text(), for a reason that people meet in the web app: word, a literal there is a sentence
 * for (web/src/i18n, `problem`), and as its values what the first ERR_MAX_VALUES arguments became.
 */
int err_say(struct err *err, int code, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int err_vsay(struct err *err, int code, const char *word, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

/* Puts "<formatted text>: " in front of the message that is there, sets and returns code; the word
 * and its values stay. */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Makes err "no error". */
void err_clear(struct err *err);

/* Copies value i; "" when there is none. */
void err_value(const struct err *err, unsigned i, char *out, size_t size);

/* Static text for a code of ours or an errno; never NULL. */
const char *err_name(int code);

#endif
