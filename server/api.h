/* The HTTP API: one table of routes; who is asking, may they, run the handler, answer.
 *
 * A route's work runs on the pool with everything it needs copied into the call, and leaves an
 * answer there. Routes that stream take the request over on the loop instead. Thread: api_handle on
 * the server's loop; `work` on a pool thread; `take` on the loop. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include <jansson.h>

#include "base/buf.h"
#include "server/fleet.h"
#include "server/server.h"

enum route_scope {
    SCOPE_DISTRICT,    /* the whole district must be in scope */
    SCOPE_ANY,         /* lists: the handler leaves out what access_sees not */
    SCOPE_TOWNSHIP,    /* {id} names one */
    SCOPE_INSTITUTION, /* {id} names one */
    SCOPE_CAMERA,      /* {id} names one */
    SCOPE_QUERY,       /* ?node= */
};

enum route_flag {
    ROUTE_PUBLIC = 1, /* no sign-in */
    ROUTE_STATES = 2, /* copy the cameras' states into the call */
    ROUTE_CSV = 4,    /* the body is text/csv, not JSON */
    ROUTE_NO_BODY = 8 /* of a method that could have one */
};

#define API_BODY_MAX_BYTES (1u << 20)
#define API_MAX_QUERY      16
#define API_MAX_HEADERS    4

struct api_call;
typedef int api_work_fn(struct api_call *call, struct err *err);
typedef void api_take_fn(struct api_call *call);

struct route {
    enum http_method method;
    const char *pattern; /* below /api/v1 */
    enum permission permission;
    enum route_scope scope;
    unsigned flags;
    api_work_fn *work; /* or */
    api_take_fn *take;
};

/* Ends with a NULL pattern. */
extern const struct route api_routes[];

struct api_call {
    struct server *server;
    const struct route *route;
    struct http_request *req; /* [loop] */
    const char *id;           /* of the path, or NULL */
    struct user user;
    bool is_cookie;
    char csrf[SECRET_TEXT_BYTES];
    struct district *district; /* as it was when the request came; owned reference */
    struct node node;          /* what the route's scope named */
    int utc_offset_minutes;
    char time_zone[64];
    size_t n_query;
    struct {
        const char *name, *value;
    } query[API_MAX_QUERY];
    const uint8_t *body;
    size_t body_len;
    struct camera_state *states; /* ROUTE_STATES: sorted like district->rows.cameras; owned */
    size_t n_states;

    /* the answer */
    int status;               /* 0 = 200, or 204 without a body */
    json_t *json;             /* owned; or */
    struct buf text;          /* with content_type */
    const char *content_type; /* static */
    struct {
        char name[32];
        char value[256];
    } headers[API_MAX_HEADERS];
    size_t n_headers;
    struct district *new_district;    /* to take over before answering; owned */
    struct account_rows new_accounts; /* the same */
    bool has_new_accounts;
    struct err err;
};

/* Handler of the HTTP server; ctx is the struct server. */
void api_handle(void *ctx, struct http_request *req);

/* [any] Query value, or NULL. */
const char *api_query(const struct api_call *call, const char *name);
/* *out keeps its value when the parameter is absent. ERR_INVALID. */
int api_query_time(const struct api_call *call, const char *name, bool is_required, int64_t *out_us,
                   struct err *err);
int api_query_int(const struct api_call *call, const char *name, int64_t min, int64_t max,
                  int64_t *out, struct err *err);
/* "main" or "sub"; NULL with err for anything else. */
const char *api_query_stream(const struct api_call *call, struct err *err);

/* The body as a JSON object; ERR_INVALID. The caller's reference. */
int api_body(const struct api_call *call, json_t **out, struct err *err);

/* Puts a header into the answer. */
void api_header(struct api_call *call, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* [loop] For `take`: answers with a problem for the code, releases call. */
void api_fail(struct api_call *call, const struct err *err);
/* [loop] Sends what work left in the call, releases it. */
void api_finish(struct api_call *call);
/* [any] Releases a call whose request was handed over. */
void api_call_free(struct api_call *call);

int api_status_of(int code);

#endif
