/* Scripted cameras: rules from JSON that say what a camera does differently from a well-behaved
 * one, request by request. README.md describes the rules for who writes them.
 * Thread: rules are const once read; everything else belongs to the simulator's loop.
 * Bounds: SCRIPT_MAX_RULES, SCRIPT_MAX_TEXT_BYTES per text sent, TRACE_MAX_ENTRIES per camera. */
#ifndef RIG_SCRIPT_H
#define RIG_SCRIPT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SCRIPT_MAX_RULES      32
#define SCRIPT_MAX_TEXT_BYTES (4u << 20)
#define TRACE_MAX_ENTRIES     2000

struct client;
struct camera;
struct rtsp_message;

/* --- [script.c] the rules --- */

/* Whether the keys and types of "rtsp" and "uris" are known; ERR_INVALID names what is not. */
int script_check(const json_t *rules, struct err *err);
int script_check_uris(const json_t *uris, struct err *err);

/* Something happened at the camera. */
struct script_event {
    const char *on;                     /* a method's name, or "connect" */
    const struct rtsp_message *message; /* NULL when it was no request */
    int connection;                     /* of this camera, from 1 */
    const char *state;                  /* fresh, described, ready, playing */
    int n_setups;                       /* tracks that are set up */
};

/* The first rule that fits, or NULL. n_fits[SCRIPT_MAX_RULES] counts how often each rule's other
 * conditions held, for "nth". */
const json_t *script_find(const json_t *rules, unsigned *n_fits, const struct script_event *e);

/* What "uris" makes of a request's URI ("main", "sub", "video", "audio"), or NULL. */
const char *script_resource(const json_t *uris, struct span uri);

/* --- [script_text.c] what is sent --- */

/* What placeholders stand for. */
struct script_context {
    const struct client *client;
    int64_t cseq;
    struct span uri;
    struct span answer; /* what a well-behaved camera would have said */
};

/* Appends a text, or a list of lines, with its ${PLACEHOLDERS} filled in. */
void script_print(const struct script_context *x, const json_t *text, struct buf *out);

/* Appends "24 00 0c" as bytes. */
void script_put_hex(struct span text, struct buf *out);

/* Appends the well-behaved answer with the rule's changes. */
void script_edit_answer(const struct script_context *x, const json_t *rule, struct buf *out);

/* --- [script_play.c] who does it --- */

/* A client is there. May close it. */
void script_connected(struct client *c);

/* True when a rule dealt with the request. May close the client. */
bool script_request(struct client *c, const struct rtsp_message *m);

void script_disarm(struct client *c); /* nothing happens any more */
void script_free(struct client *c);

/* --- [trace.c] what the camera saw --- */

/* Adds to the camera's trace; does nothing for cameras without rules. Borrowed until the next call
 * of a trace function, or NULL. */
json_t *trace_event(struct camera *camera, int connection, const char *what);
void trace_request(struct client *c, const struct rtsp_message *m);

/* What the client answered to a request of the camera. */
void trace_answer(struct client *c, const struct rtsp_message *m);

/* What was said to the last request of this connection; 0 = nothing. */
void trace_status(struct client *c, int status);

#endif
