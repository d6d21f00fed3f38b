/* Holds: recordings that no deletion touches. */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/validate.h"
#include "storage/db_audit.h"
#include "storage/db_holds.h"
#include "storage/writing.h"

enum { REASON_MAX_BYTES = 1000, LIST_DEFAULT = 500, LIST_MAX = 5000 };

/* Released ones that are not shown are still walked over; a page shows what the user sees. */
struct listing {
    struct api_call *call;
    struct writing writing;
    json_t *items;
    int64_t limit;
    struct hold_query query;
    int64_t cursor_us;
    char cursor_id[72];
    bool is_full;
};

static bool sees(const struct api_call *call, const char *camera_id)
{
    const struct camera_row *c = district_camera(call->district, camera_id);
    struct node n = {.kind = NODE_DISTRICT}; /* a camera that is no more: the whole district's */
    if (c != NULL)
        n = district_node_of_camera(call->district, c);
    return access_sees(&call->user, call->district, &n);
}

static json_t *hold_json(const struct api_call *call, const struct hold_row *row,
                         const struct writing *writing)
{
    const struct camera_row *c = district_camera(call->district, row->camera_id);
    json_t *o = json_object();
    json_put_text(o, "id", row->id);
    json_put_text(o, "camera_id", row->camera_id);
    json_put_text(o, "camera_name", c != NULL ? c->name : "");
    json_put_time(o, "from", row->from_us);
    json_put_time(o, "to", row->to_us);
    json_put_text(o, "reason", row->reason);
    json_put_text(o, "user", row->user);
    json_put_time(o, "created_at", row->created_us);
    json_put_time(o, "released_at", row->released_us);
    json_put(o, "released_by", row->released_us != 0 ? json_string(row->released_by) : json_null());
    json_put(o, "released_reason",
             row->released_us != 0 ? json_string(row->released_reason) : json_null());
    int64_t more = writing_bytes(writing, row->camera_id, row->from_us, row->to_us);
    json_put_int(o, "bytes", row->bytes + more);
    return o;
}

static int add_hold(void *ctx, const struct hold_row *row)
{
    struct listing *l = ctx;
    if (!sees(l->call, row->camera_id))
        return 0;
    if (json_array_size(l->items) == (size_t)l->limit) {
        l->is_full = true;
        return ERR_CLOSED; /* enough */
    }
    json_array_append_new(l->items, hold_json(l->call, row, &l->writing));
    l->cursor_us = row->created_us;
    str_copy(l->cursor_id, sizeof l->cursor_id, row->id);
    return 0;
}

static int find_holds(struct db *db, void *ctx, struct err *err)
{
    struct listing *l = ctx;
    int rc = writing_drop_settled(&l->writing, db, err);
    if (rc == 0)
        rc = db_holds_find(db, &l->query, add_hold, l, err);
    return rc == ERR_CLOSED ? 0 : rc;
}

static int read_query(struct listing *l, char *cursor, size_t cap, struct err *err)
{
    const struct api_call *call = l->call;
    const char *active = api_query(call, "active"), *at = api_query(call, "cursor");
    const char *camera = api_query(call, "camera");
    l->limit = LIST_DEFAULT;
    l->query.is_active = -1;
    l->query.camera_id = camera != NULL && camera[0] != '\0' ? camera : NULL;
    if (active != NULL && active[0] != '\0') {
        l->query.is_active = strcmp(active, "true") == 0;
        if (!l->query.is_active && strcmp(active, "false") != 0)
            return err_text(err, ERR_INVALID, "active: true or false is expected");
    }
    if (at != NULL && at[0] != '\0') {
        struct span rest = span_of(at), head;
        if (!span_cut(&rest, '-', &head) || !span_i64(head, &l->query.before_created_us) ||
            rest.n == 0 || rest.n >= cap)
            return err_text(err, ERR_INVALID, "cursor: give back the `next` of the page before");
        span_copy(rest, cursor, cap);
        l->query.before_id = cursor;
    }
    return api_query_int(call, "limit", 1, LIST_MAX, &l->limit, err);
}

int holds_list(struct api_call *call, struct err *err)
{
    struct listing l = {.call = call};
    char cursor[72], next[128];
    int rc = read_query(&l, cursor, sizeof cursor, err);
    if (rc < 0)
        return rc;
    l.items = json_array();
    writing_ask(call->server->storage, &l.writing);
    rc = catalogue_read(call->server->catalogue, find_holds, &l, err);
    writing_fini(&l.writing);
    call->json = json_list(l.items);
    if (l.is_full) {
        snprintf(next, sizeof next, "%" PRId64 "-%s", l.cursor_us, l.cursor_id);
        json_put_text(call->json, "next", next);
    }
    return rc;
}

/* --- placing and releasing --- */

struct change {
    struct api_call *call;
    struct writing writing;
    struct hold_row row; /* what is asked for */
    char *camera_id, *reason;
    char id[72];
    int64_t now_us;
};

/* Whose hold it is, and of which camera, before it is touched. */
struct owner {
    char user[65], camera_id[65];
};

static int keep_owner(void *ctx, const struct hold_row *row)
{
    struct owner *o = ctx;
    str_copy(o->user, sizeof o->user, row->user);
    str_copy(o->camera_id, sizeof o->camera_id, row->camera_id);
    return 0;
}

static int answer(void *ctx, const struct hold_row *row)
{
    struct change *c = ctx;
    c->call->json = hold_json(c->call, row, &c->writing);
    return 0;
}

static int write_audit(struct db *db, const struct change *c, const char *action,
                       const char *camera_id, const char *detail, struct err *err)
{
    char object[80];
    snprintf(object, sizeof object, "camera:%s", camera_id);
    return db_audit_add(db,
                        &(struct audit_entry){.at_us = c->now_us,
                                              .user = c->call->user.name,
                                              .action = action,
                                              .object = object,
                                              .detail = detail},
                        err);
}

static int place(struct db *db, void *ctx, struct err *err)
{
    struct change *c = ctx;
    char detail[REASON_MAX_BYTES + 200], from[CLOCK_RFC3339_BYTES], to[CLOCK_RFC3339_BYTES];
    snprintf(detail, sizeof detail, "%s %s/%s: %s", c->id, rfc3339_print(c->row.from_us, from),
             rfc3339_print(c->row.to_us, to), c->reason);
    int rc = db_hold_add(db, &c->row, err);
    if (rc == 0)
        rc = write_audit(db, c, "hold_place", c->camera_id, detail, err);
    if (rc >= 0)
        rc = writing_drop_settled(&c->writing, db, err);
    return rc < 0 ? rc : db_hold_get(db, c->id, answer, c, err);
}

static int release(struct db *db, void *ctx, struct err *err)
{
    struct change *c = ctx;
    struct owner owner;
    char detail[REASON_MAX_BYTES + 200];
    const struct user *u = &c->call->user;
    int rc = db_hold_get(db, c->id, keep_owner, &owner, err);
    if (rc == 0 && !sees(c->call, owner.camera_id))
        return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %.64s", "hold", c->id);
    if (rc == 0 && !user_may(u, PERM_MANAGE_SYSTEM) && strcmp(u->name, owner.user) != 0)
        return err_say(err, ERR_FORBIDDEN, "hold_not_yours",
                       "only %s, who placed it, or an administrator may", owner.user);
    if (rc == 0)
        rc = db_hold_release(db, c->id, u->name, c->reason, c->now_us, err);
    snprintf(detail, sizeof detail, "%s: %s", c->id, c->reason);
    if (rc == 0)
        rc = write_audit(db, c, "hold_release", owner.camera_id, detail, err);
    if (rc >= 0)
        rc = writing_drop_settled(&c->writing, db, err);
    return rc < 0 ? rc : db_hold_get(db, c->id, answer, c, err);
}

static int check_reason(const char *reason, struct err *err)
{
    if (reason != NULL && text_is_fit(reason, 1, REASON_MAX_BYTES) &&
        span_trim(span_of(reason)).n > 0)
        return 0;
    return err_say(err, ERR_INVALID, "reason_needed",
                   "reason: it is needed, at most %d bytes on one line", REASON_MAX_BYTES);
}

static int take_time(const json_t *body, const char *key, int64_t *out, struct err *err)
{
    char *text = NULL;
    int rc = json_take_text(body, key, &text, err);
    if (rc >= 0 && (text == NULL || rfc3339_parse(text, out) < 0 || *out <= 0))
        rc = err_say(err, ERR_INVALID, "field_time",
                     "%s: a time such as 2026-11-23T04:05:06Z is needed", key);
    free(text);
    return rc < 0 ? rc : 0;
}

static int read_place(struct change *c, struct err *err)
{
    static const char *const keys[] = {"camera_id", "from", "to", "reason", NULL};
    json_t *body;
    int rc = api_body(c->call, &body, err);
    if (rc < 0)
        return rc;
    rc = json_only_keys(body, keys, err);
    if (rc >= 0)
        rc = json_take_text(body, "camera_id", &c->camera_id, err);
    if (rc >= 0)
        rc = json_take_text(body, "reason", &c->reason, err);
    if (rc >= 0)
        rc = take_time(body, "from", &c->row.from_us, err);
    if (rc >= 0)
        rc = take_time(body, "to", &c->row.to_us, err);
    if (rc >= 0)
        rc = check_reason(c->reason, err);
    if (rc >= 0 && c->row.to_us <= c->row.from_us)
        rc = err_say(err, ERR_INVALID, "range_empty", "to: it must be later than from");
    json_decref(body);
    return rc < 0 ? rc : 0;
}

static int check_camera(const struct api_call *call, const char *id, struct err *err)
{
    const struct camera_row *c = id != NULL ? district_camera(call->district, id) : NULL;
    struct node n;
    if (c != NULL)
        n = district_node_of_camera(call->district, c);
    if (c == NULL || access_check(&call->user, PERM_HOLD, call->district, &n) < 0)
        return err_say(err, ERR_INVALID, "camera_gone", "camera_id: there is no camera %.64s",
                       id ? id : "");
    return 0;
}

static int change(struct change *c, catalogue_fn *fn, struct err *err)
{
    writing_ask(c->call->server->storage, &c->writing);
    int rc = catalogue_write(c->call->server->catalogue, fn, c, err);
    writing_fini(&c->writing);
    if (rc >= 0)
        storage_holds_changed(c->call->server->storage);
    free(c->camera_id);
    free(c->reason);
    return rc;
}

int hold_add(struct api_call *call, struct err *err)
{
    struct change c = {.call = call, .now_us = clock_wall_us(clock_system())};
    int rc = read_place(&c, err);
    if (rc == 0)
        rc = check_camera(call, c.camera_id, err);
    if (rc < 0) {
        free(c.camera_id);
        free(c.reason);
        return rc;
    }
    secret_make_id("hold", c.id, sizeof c.id);
    c.row.id = c.id;
    c.row.camera_id = c.camera_id;
    c.row.user = call->user.name;
    c.row.reason = c.reason;
    c.row.created_us = c.now_us;
    call->status = 201;
    return change(&c, place, err);
}

int hold_release(struct api_call *call, struct err *err)
{
    static const char *const keys[] = {"reason", NULL};
    struct change c = {.call = call, .now_us = clock_wall_us(clock_system())};
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    rc = json_only_keys(body, keys, err);
    if (rc >= 0)
        rc = json_take_text(body, "reason", &c.reason, err);
    if (rc >= 0)
        rc = check_reason(c.reason, err);
    json_decref(body);
    if (rc < 0) {
        free(c.reason);
        return rc;
    }
    str_copy(c.id, sizeof c.id, call->id);
    return change(&c, release, err);
}
