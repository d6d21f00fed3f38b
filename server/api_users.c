/* Users; only the role admin exists yet. */
#include <string.h>

#include "base/str.h"
#include "server/json.h"
#include "server/routes.h"

static int load_rows(struct db *db, void *ctx, struct err *err)
{
    return account_rows_load(db, ctx, err);
}

static int reload(struct api_call *call, struct err *err)
{
    int rc = catalogue_read(call->server->catalogue, load_rows, &call->new_accounts, err);
    call->has_new_accounts = rc == 0;
    return rc;
}

static json_t *row_json(const struct user_row *r)
{
    json_t *o = json_object();
    json_put_text(o, "name", r->name);
    json_put_text(o, "role", r->role);
    json_put_text(o, "scope", r->scope);
    json_put_time(o, "created_at", r->created_us);
    return o;
}

/* Answers with the user as it now is. */
static int answer_user(struct api_call *call, const char *name, int status, struct err *err)
{
    int rc = reload(call, err);
    for (size_t i = 0; rc == 0 && i < call->new_accounts.n_users; i++) {
        if (strcmp(call->new_accounts.users[i].name, name) == 0) {
            call->status = status;
            call->json = row_json(&call->new_accounts.users[i]);
            return 0;
        }
    }
    return rc < 0
               ? rc
               : err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %.64s", "user", name);
}

int users_list(struct api_call *call, struct err *err)
{
    int rc = reload(call, err);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < call->new_accounts.n_users; i++)
        json_array_append_new(items, row_json(&call->new_accounts.users[i]));
    call->json = json_list(items);
    return 0;
}

int user_get(struct api_call *call, struct err *err)
{
    return answer_user(call, call->id, 200, err);
}

struct user_input {
    char *name, *role, *password;
};

static void input_fini(struct user_input *in)
{
    free(in->name);
    free(in->role);
    free(in->password);
}

static int read_input(struct api_call *call, const char *const *keys, struct user_input *in,
                      struct err *err)
{
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    if ((rc = json_only_keys(body, keys, err)) == 0 &&
        (rc = json_take_text(body, "name", &in->name, err)) >= 0 &&
        (rc = json_take_text(body, "role", &in->role, err)) >= 0)
        rc = json_take_text(body, "password", &in->password, err);
    json_decref(body);
    if (rc >= 0 && in->password == NULL)
        rc = err_say(err, ERR_INVALID, "field_empty", "%s: it is needed", "password");
    return rc;
}

int user_add(struct api_call *call, struct err *err)
{
    static const char *const keys[] = {"name", "role", "password", NULL};
    struct user_input in = {0};
    int rc = read_input(call, keys, &in, err);
    if (rc >= 0)
        rc = accounts_add_user(call->server->catalogue, in.name ? in.name : "",
                               in.role ? in.role : "admin", "", in.password, err);
    if (rc >= 0)
        rc = answer_user(call, in.name, 201, err);
    input_fini(&in);
    return rc;
}

int user_change(struct api_call *call, struct err *err)
{
    static const char *const keys[] = {"password", NULL};
    struct user_input in = {0};
    int rc = read_input(call, keys, &in, err);
    if (rc >= 0)
        rc = accounts_set_password(call->server->catalogue, call->id, in.password, err);
    if (rc >= 0)
        rc = answer_user(call, call->id, 200, err);
    input_fini(&in);
    return rc;
}

static int delete_row(struct db *db, void *ctx, struct err *err)
{
    const struct api_call *call = ctx;
    return db_user_delete(db, call->id, err);
}

int user_delete(struct api_call *call, struct err *err)
{
    int rc = catalogue_write(call->server->catalogue, delete_row, call, err);
    return rc < 0 ? rc : reload(call, err);
}
