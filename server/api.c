#include "server/api.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

/* --- errors to answers --- */

int api_status_of(int code)
{
    switch (code) {
    case ERR_AUTH:
        return 401;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_TOO_BIG:
        return 413;
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
        return 422;
    case ERR_BUSY:
    case ERR_CLOSED:
        return 503;
    default:
        return 500;
    }
}

static void reply_error(struct http_request *req, const struct err *err)
{
    int status = api_status_of(err->code);
    if (status == 503)
        http_add_header(req, "Retry-After", "2");
    if (status == 500)
        log_error("api", "%s %s: %s", http_method_name(req->method), req->path, err->msg);
    http_add_header(req, "Cache-Control", "no-store");
    http_reply_error(req, status, err);
}

void api_call_free(struct api_call *call)
{
    district_unref(&call->district);
    district_unref(&call->new_district);
    if (call->has_new_accounts)
        account_rows_fini(&call->new_accounts);
    for (size_t i = 0; i < call->n_query; i++) {
        free((char *)call->query[i].name);
        free((char *)call->query[i].value);
    }
    free((char *)call->id);
    free(call->states);
    json_decref(call->json);
    buf_fini(&call->text);
    free(call);
}

void api_fail(struct api_call *call, const struct err *err)
{
    reply_error(call->req, err);
    api_call_free(call);
}

void api_header(struct api_call *call, const char *name, const char *fmt, ...)
{
    assert(call->n_headers < API_MAX_HEADERS);
    size_t i = call->n_headers++;
    va_list args;
    va_start(args, fmt);
    str_copy(call->headers[i].name, sizeof call->headers[i].name, name);
    vsnprintf(call->headers[i].value, sizeof call->headers[i].value, fmt, args);
    va_end(args);
}

static void send_answer(struct api_call *call)
{
    struct http_request *req = call->req;
    for (size_t i = 0; i < call->n_headers; i++)
        http_add_header(req, call->headers[i].name, "%s", call->headers[i].value);
    http_add_header(req, "Cache-Control", "no-store");
    if (call->json != NULL) {
        char *text = json_dumps(call->json, JSON_COMPACT | JSON_REAL_PRECISION(10));
        http_reply(req, call->status ? call->status : 200,
                   call->content_type ? call->content_type : "application/json", text,
                   strlen(text));
        free(text);
    } else if (call->content_type != NULL) {
        http_reply(req, call->status ? call->status : 200, call->content_type, call->text.data,
                   call->text.len);
    } else {
        http_reply(req, call->status ? call->status : 204, NULL, NULL, 0);
    }
}

void api_finish(struct api_call *call)
{
    struct server *s = call->server;
    if (call->new_district != NULL) {
        server_set_district(s, call->new_district);
        call->new_district = NULL;
    }
    if (call->has_new_accounts) {
        server_set_accounts(s, &call->new_accounts);
        call->has_new_accounts = false;
    }
    if (call->err.code != 0)
        reply_error(call->req, &call->err);
    else
        send_answer(call);
    api_call_free(call);
}

/* --- finding the route --- */

/* Compares the pattern with the segments from index 2 on; *out_id gets what {id} stands for. */
static bool path_matches(const char *pattern, const struct http_request *req, const char **out_id)
{
    struct span rest = span_of(pattern + 1), part;
    size_t i = 2;
    *out_id = NULL;
    while (span_cut(&rest, '/', &part)) {
        if (i >= req->n_segments)
            return false;
        if (span_eq(part, "{id}"))
            *out_id = req->segments[i];
        else if (!span_eq(part, req->segments[i]))
            return false;
        i++;
    }
    return i == req->n_segments;
}

static const struct route *find_route(const struct http_request *req, const char **out_id,
                                      struct buf *out_allow)
{
    enum http_method method = req->method == HTTP_HEAD ? HTTP_GET : req->method;
    for (const struct route *r = api_routes; r->pattern != NULL; r++) {
        const char *id;
        if (!path_matches(r->pattern, req, &id))
            continue;
        if (r->method == method) {
            *out_id = id;
            return r;
        }
        if (out_allow->len > 0)
            buf_puts(out_allow, ", ");
        buf_puts(out_allow, http_method_name(r->method));
        if (r->method == HTTP_GET)
            buf_puts(out_allow, ", HEAD");
    }
    return NULL;
}

/* --- who is asking --- */

static int sign_in_of(struct server *s, struct api_call *call, struct err *err)
{
    struct http_request *req = call->req;
    const char *bearer = http_bearer(req);
    char secret[2 * SECRET_TEXT_BYTES];
    if (bearer != NULL) {
        if (accounts_token(s->accounts, bearer, &call->user))
            return 0;
        return err_text(err, ERR_AUTH, "the token is not valid (any more): make a new one");
    }
    if (!http_cookie(req, "rookery_session", secret, sizeof secret) ||
        !accounts_session(s->accounts, secret, &call->user, call->csrf))
        return err_say(err, ERR_AUTH, "signed_out",
                       "not signed in, or signed out meanwhile: sign in");
    call->is_cookie = true;
    return 0;
}

static bool changes_something(enum http_method m)
{
    return m != HTTP_GET && m != HTTP_HEAD && m != HTTP_OPTIONS;
}

static int check_csrf(const struct api_call *call, struct err *err)
{
    if (!call->is_cookie || !changes_something(call->req->method))
        return 0;
    const char *token = http_header(call->req, "X-CSRF-Token");
    if (token != NULL && strlen(token) == strlen(call->csrf) &&
        secret_eq(token, call->csrf, strlen(token)))
        return 0;
    return err_say(err, ERR_FORBIDDEN, "page_old",
                   "header X-CSRF-Token is missing or old: load the page again");
}

/* --- may they --- */

static int find_node(struct api_call *call, struct err *err)
{
    const struct district *d = call->district;
    const char *what = "camera";
    call->node = (struct node){.kind = NODE_DISTRICT};
    switch (call->route->scope) {
    case SCOPE_DISTRICT:
    case SCOPE_ANY:
        return 0;
    case SCOPE_QUERY:
        if (district_node(d, api_query(call, "node"), &call->node) == 0)
            return 0;
        return err_say(err, ERR_NOT_FOUND, "unknown_node", "node: there is no \"%.80s\"",
                       api_query(call, "node"));
    case SCOPE_TOWNSHIP: {
        const struct township_row *t = district_township(d, call->id);
        what = "township";
        if (t != NULL) {
            call->node = district_node_of_township(d, t);
            return 0;
        }
        break;
    }
    case SCOPE_INSTITUTION: {
        const struct institution_row *i = district_institution(d, call->id);
        what = "institution";
        if (i != NULL) {
            call->node = district_node_of_institution(d, i);
            return 0;
        }
        break;
    }
    case SCOPE_CAMERA: {
        const struct camera_row *c = district_camera(d, call->id);
        if (c != NULL) {
            call->node = district_node_of_camera(d, c);
            return 0;
        }
        break;
    }
    }
    return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %.64s", what, call->id);
}

static int check_access(struct api_call *call, struct err *err)
{
    int rc = find_node(call, err);
    if (rc < 0)
        return rc;
    if (call->route->scope == SCOPE_ANY ||
        (call->route->scope == SCOPE_QUERY && call->node.kind == NODE_DISTRICT))
        rc = user_may(&call->user, call->route->permission) ? 0 : ERR_FORBIDDEN;
    else
        rc = access_check(&call->user, call->route->permission, call->district, &call->node);
    if (rc == ERR_NOT_FOUND && call->id != NULL)
        return err_say(err, rc, "unknown_id", "there is no camera, institution or township %.64s",
                       call->id);
    if (rc == ERR_NOT_FOUND)
        return err_say(err, ERR_FORBIDDEN, "whole_district",
                       "this is for accounts of the whole district");
    if (rc < 0)
        return err_say(err, rc, "role_forbids", "the role %s may not do this", call->user.role);
    return 0;
}

/* --- what came along --- */

static bool is_type(const char *header, const char *type)
{
    struct span rest = span_of(header), first;
    return span_cut(&rest, ';', &first) && span_ieq(span_trim(first), type);
}

static bool check_body(const struct api_call *call)
{
    struct http_request *req = call->req;
    bool is_csv = call->route->flags & ROUTE_CSV;
    size_t max = is_csv ? HTTP_BODY_MAX_DEFAULT : API_BODY_MAX_BYTES;
    if (req->body_len > max) {
        struct err err;
        err_say(&err, ERR_TOO_BIG, "body_long", "the request has more than %zu bytes", max);
        http_reply_error(req, 413, &err);
        return false;
    }
    if (!changes_something(req->method) || req->method == HTTP_DELETE ||
        (call->route->flags & ROUTE_NO_BODY))
        return true;
    const char *type = http_header(req, "Content-Type");
    if (is_csv && type != NULL && (is_type(type, "text/csv") || is_type(type, "text/plain")))
        return true;
    if (!is_csv && type != NULL && is_type(type, "application/json"))
        return true;
    http_reply_problem(req, 415, "send the content type %s",
                       is_csv ? "text/csv" : "application/json");
    return false;
}

static void copy_query(struct api_call *call)
{
    size_t pos = 0;
    const char *name, *value;
    while (call->n_query < API_MAX_QUERY && http_query_next(call->req, &pos, &name, &value)) {
        call->query[call->n_query].name = xstrdup(name);
        call->query[call->n_query].value = xstrdup(value ? value : "");
        call->n_query++;
    }
}

static void copy_states(struct api_call *call)
{
    const struct district_rows *rows = &call->district->rows;
    call->n_states = rows->n_cameras;
    call->states = xcalloc(rows->n_cameras + 1, sizeof *call->states);
    for (size_t i = 0; i < rows->n_cameras; i++)
        fleet_state(call->server->fleet, rows->cameras[i].id, &call->states[i]);
}

/* --- running --- */

static void work_on_pool(void *ctx)
{
    struct api_call *call = ctx;
    int rc = call->route->work(call, &call->err);
    if (rc < 0 && call->err.code == 0)
        err_set(&call->err, rc, "%s", call->route->pattern);
    if (rc >= 0)
        err_clear(&call->err);
}

static void work_done(void *ctx)
{
    api_finish(ctx);
}

static void run(struct api_call *call)
{
    if (call->route->flags & ROUTE_STATES)
        copy_states(call);
    if (call->route->take != NULL) {
        call->route->take(call);
        return;
    }
    if (!pool_submit(call->server->pool, work_on_pool, call->server->loop, work_done, call)) {
        struct err err;
        err_say(&err, ERR_BUSY, "busy", "the server is busy: try again in a moment");
        api_fail(call, &err);
    }
}

static void handle_route(struct server *s, struct http_request *req, const struct route *route,
                         const char *id)
{
    struct err err;
    struct api_call *call = xcalloc(1, sizeof *call);
    err_clear(&err);
    call->server = s;
    call->route = route;
    call->req = req;
    call->id = id != NULL ? xstrdup(id) : NULL;
    call->district = district_ref(s->district);
    call->utc_offset_minutes = s->config->utc_offset_minutes;
    str_copy(call->time_zone, sizeof call->time_zone, s->config->time_zone);
    call->body = req->body;
    call->body_len = req->body_len;
    buf_init(&call->text, 0);
    copy_query(call);
    int rc = 0;
    if (!(route->flags & ROUTE_PUBLIC)) {
        rc = sign_in_of(s, call, &err);
        if (rc == 0)
            rc = check_csrf(call, &err);
        if (rc == 0)
            rc = check_access(call, &err);
    }
    if (rc < 0)
        api_fail(call, &err);
    else if (!check_body(call))
        api_call_free(call);
    else
        run(call);
}

void api_handle(void *ctx, struct http_request *req)
{
    struct server *s = ctx;
    const char *id;
    struct buf allow;
    buf_init(&allow, 256);
    const struct route *route = find_route(req, &id, &allow);
    if (route != NULL) {
        handle_route(s, req, route, id);
    } else if (allow.len > 0) {
        http_add_header(req, "Allow", "%s", buf_cstr(&allow));
        http_reply_problem(req, 405, "%s is not possible here; allowed: %s",
                           http_method_name(req->method), buf_cstr(&allow));
    } else {
        http_reply_problem(req, 404, "there is no %s in this version of the API", req->path);
    }
    buf_fini(&allow);
}

/* --- for handlers --- */

const char *api_query(const struct api_call *call, const char *name)
{
    for (size_t i = 0; i < call->n_query; i++) {
        if (strcmp(call->query[i].name, name) == 0)
            return call->query[i].value;
    }
    return NULL;
}

int api_query_time(const struct api_call *call, const char *name, bool is_required, int64_t *out_us,
                   struct err *err)
{
    const char *text = api_query(call, name);
    if (text == NULL || text[0] == '\0') {
        if (is_required)
            return err_say(err, ERR_INVALID, "field_time",
                           "%s: a time such as 2026-11-23T04:05:06Z is needed", name);
        return 0;
    }
    /* a plus sign that was not percent-encoded arrives as a blank */
    char fixed[64];
    str_copy(fixed, sizeof fixed, text);
    char *blank = strchr(fixed, ' ');
    if (blank != NULL && strlen(fixed) > 19 && blank > fixed + 18)
        *blank = '+';
    if (rfc3339_parse(fixed, out_us) < 0)
        return err_say(err, ERR_INVALID, "field_time",
                       "%s: \"%.40s\" is no time; write it like 2026-11-23T04:05:06Z", name, text);
    return 0;
}

int api_query_int(const struct api_call *call, const char *name, int64_t min, int64_t max,
                  int64_t *out, struct err *err)
{
    const char *text = api_query(call, name);
    int64_t n;
    if (text == NULL || text[0] == '\0')
        return 0;
    if (!span_i64(span_of(text), &n) || n < min || n > max)
        return err_say(err, ERR_INVALID, "field_number",
                       "%s: a number from %lld to %lld is expected", name, (long long)min,
                       (long long)max);
    *out = n;
    return 0;
}

const char *api_query_stream(const struct api_call *call, struct err *err)
{
    const char *text = api_query(call, "stream");
    if (text == NULL || text[0] == '\0' || strcmp(text, "main") == 0)
        return "main";
    if (strcmp(text, "sub") == 0)
        return "sub";
    err_text(err, ERR_INVALID, "stream: main or sub is expected, not \"%.20s\"", text);
    return NULL;
}

int api_body(const struct api_call *call, json_t **out, struct err *err)
{
    json_error_t why;
    *out = json_loadb((const char *)call->body, call->body_len, JSON_REJECT_DUPLICATES, &why);
    if (*out == NULL)
        return err_text(err, ERR_INVALID, "the request is no JSON: line %d: %s", why.line,
                        why.text);
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return err_text(err, ERR_INVALID, "a JSON object is expected");
    }
    return 0;
}
