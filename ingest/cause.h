/* Why a stream is in the state it is in: the contract's words. */
#ifndef INGEST_CAUSE_H
#define INGEST_CAUSE_H

enum stream_cause {
    CAUSE_OK,
    CAUSE_DISABLED,
    CAUSE_IDLE, /* on demand and nobody asks */
    CAUSE_CONNECTING,
    CAUSE_DNS,
    CAUSE_REFUSED,
    CAUSE_UNREACHABLE, /* no route, or the connection broke */
    CAUSE_TIMEOUT,     /* silence: to connect, to a request, or of pictures */
    CAUSE_AUTH,
    CAUSE_NOT_FOUND,
    CAUSE_BUSY, /* a limit of the peer */
    CAUSE_PROTOCOL,
    CAUSE_NO_VIDEO,
    CAUSE_NO_KEYFRAME, /* connected, but no picture to start from yet */
    CAUSE_UNSUPPORTED,
    CAUSE_DISK,
    CAUSE_INTERNAL,
    CAUSE_COUNT
};

const char *cause_name(enum stream_cause c); /* the contract's word */

/* For an errno (negative) of a socket or an ERR_* code. */
enum stream_cause cause_of_code(int code);

#endif
