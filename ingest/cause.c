#include "ingest/cause.h"

#include <assert.h>
#include <errno.h>

#include "base/err.h"

const char *cause_name(enum stream_cause c)
{
    static const char *const names[CAUSE_COUNT] = {
        [CAUSE_OK] = "ok",
        [CAUSE_DISABLED] = "disabled",
        [CAUSE_IDLE] = "idle",
        [CAUSE_CONNECTING] = "connecting",
        [CAUSE_DNS] = "dns",
        [CAUSE_REFUSED] = "refused",
        [CAUSE_UNREACHABLE] = "unreachable",
        [CAUSE_TIMEOUT] = "timeout",
        [CAUSE_AUTH] = "auth",
        [CAUSE_NOT_FOUND] = "not_found",
        [CAUSE_BUSY] = "busy",
        [CAUSE_PROTOCOL] = "protocol",
        [CAUSE_NO_VIDEO] = "no_video",
        [CAUSE_NO_KEYFRAME] = "no_keyframe",
        [CAUSE_UNSUPPORTED] = "unsupported",
        [CAUSE_DISK] = "disk",
        [CAUSE_INTERNAL] = "internal",
    };
    assert(c < CAUSE_COUNT);
    return names[c];
}

enum stream_cause cause_of_code(int code)
{
    switch (code) {
    case -ECONNREFUSED:
        return CAUSE_REFUSED;
    case -ETIMEDOUT:
        return CAUSE_TIMEOUT;
    case -EHOSTUNREACH:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -ENETDOWN:
    case -ECONNRESET:
    case -ECONNABORTED:
    case -EPIPE:
    case ERR_EOF:
        return CAUSE_UNREACHABLE;
    case ERR_DNS:
        return CAUSE_DNS;
    case ERR_AUTH:
        return CAUSE_AUTH;
    case ERR_NOT_FOUND:
        return CAUSE_NOT_FOUND;
    case ERR_BUSY:
        return CAUSE_BUSY;
    case ERR_PARSE:
    case ERR_PROTOCOL:
    case ERR_TOO_BIG:
        return CAUSE_PROTOCOL;
    case ERR_NO_VIDEO:
        return CAUSE_NO_VIDEO;
    case ERR_UNSUPPORTED:
        return CAUSE_UNSUPPORTED;
    default:
        return CAUSE_INTERNAL;
    }
}
