/* Signing in and out, the own account and its tokens. */
#include <string.h>

#include "base/str.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/validate.h"

static json_t *user_json(const struct user *u)
{
    json_t *o = json_object(), *permissions = json_array();
    json_put_text(o, "name", u->name);
    json_put_text(o, "role", u->role);
    json_put_text(o, "scope", u->scope);
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++) {
        if (user_may(u, (enum permission)p))
            json_array_append_new(permissions, json_string(permission_name((enum permission)p)));
    }
    json_put(o, "permissions", permissions);
    return o;
}

static json_t *session_json(const struct api_call *call, const struct user *u, const char *csrf)
{
    json_t *o = json_object();
    json_put(o, "user", user_json(u));
    if (csrf[0] != '\0')
        json_put_text(o, "csrf", csrf);
    else
        json_put_null(o, "csrf");
    json_put_text(o, "time_zone", call->time_zone);
    json_put_int(o, "utc_offset_minutes", call->utc_offset_minutes);
    if (call->server->push_number > 0)
        json_put_int(o, "push_port", call->server->push_number);
    else
        json_put_null(o, "push_port");
    return o;
}

static void signed_in(void *ctx, const struct sign_in *result, const struct err *err)
{
    struct api_call *call = ctx;
    if (result == NULL) {
        api_fail(call, err);
        return;
    }
    http_add_header(call->req, "Set-Cookie",
                    "rookery_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
                    result->secret, ACCOUNTS_SESSION_S, call->req->is_tls ? "; Secure" : "");
    call->json = session_json(call, &result->user, result->csrf);
    api_finish(call);
}

static int read_sign_in(struct api_call *call, char **name, char **password, struct err *err)
{
    static const char *const keys[] = {"username", "password", NULL};
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    if ((rc = json_only_keys(body, keys, err)) < 0 ||
        (rc = json_take_text(body, "username", name, err)) < 0 ||
        (rc = json_take_text(body, "password", password, err)) < 0)
        goto out;
    if (*name == NULL || *password == NULL)
        rc = err_say(err, ERR_INVALID, "credentials_missing", "username and password are needed");
out:
    json_decref(body);
    return rc;
}

void session_open(struct api_call *call)
{
    char *name = NULL, *password = NULL;
    int retry_s = 0;
    struct err err;
    err_clear(&err);
    int rc = read_sign_in(call, &name, &password, &err);
    if (rc >= 0) {
        rc = accounts_sign_in(call->server->accounts, name, password, call->req->peer_text,
                              signed_in, call, &retry_s);
        if (rc == ERR_BUSY && retry_s > 0) {
            http_add_header(call->req, "Retry-After", "%d", retry_s);
            err_say(&err, rc, "locked_out",
                    "too many wrong passwords: wait %d seconds, then try again", retry_s);
            http_reply_error(call->req, 429, &err);
            api_call_free(call);
            call = NULL;
        } else if (rc < 0) {
            err_say(&err, rc, "sign_in_busy", "too many people sign in at this moment: try again");
        }
    }
    if (rc < 0 && call != NULL)
        api_fail(call, &err);
    free(name);
    free(password);
}

void session_close(struct api_call *call)
{
    char secret[2 * SECRET_TEXT_BYTES];
    if (call->is_cookie && http_cookie(call->req, "rookery_session", secret, sizeof secret))
        accounts_sign_out(call->server->accounts, secret);
    http_add_header(call->req, "Set-Cookie",
                    "rookery_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    api_finish(call);
}

int me_get(struct api_call *call, struct err *err)
{
    (void)err;
    call->json = session_json(call, &call->user, call->csrf);
    return 0;
}

/* --- tokens --- */

static int load_rows(struct db *db, void *ctx, struct err *err)
{
    return account_rows_load(db, ctx, err);
}

/* After a change: what the server must know before it answers. */
static int reload(struct api_call *call, struct err *err)
{
    int rc = catalogue_read(call->server->catalogue, load_rows, &call->new_accounts, err);
    call->has_new_accounts = rc == 0;
    return rc;
}

int tokens_list(struct api_call *call, struct err *err)
{
    struct account_rows rows;
    int rc = catalogue_read(call->server->catalogue, load_rows, &rows, err);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < rows.n_tokens; i++) {
        const struct token_row *t = &rows.tokens[i];
        if (strcmp(t->user, call->user.name) != 0)
            continue;
        json_t *o = json_object();
        json_put_text(o, "id", t->id);
        json_put_text(o, "name", t->name);
        json_put_time(o, "created_at", t->created_us);
        json_put_time(o, "used_at", t->used_us);
        json_array_append_new(items, o);
    }
    account_rows_fini(&rows);
    call->json = json_list(items);
    return 0;
}

static int add_row(struct db *db, void *ctx, struct err *err)
{
    return db_token_add(db, ctx, err);
}

int token_add(struct api_call *call, struct err *err)
{
    static const char *const keys[] = {"name", NULL};
    struct token_row row = {.created_us = clock_wall_us(clock_system())};
    char secret[SECRET_TEXT_BYTES];
    char *name = NULL;
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    rc = json_only_keys(body, keys, err);
    if (rc == 0)
        rc = json_take_text(body, "name", &name, err);
    json_decref(body);
    if (rc >= 0 && (name == NULL || !text_is_fit(name, 1, sizeof row.name - 1)))
        rc = err_text(err, ERR_INVALID, "name: say what the token is for, in at most 128 letters");
    if (rc >= 0) {
        secret_make(secret);
        secret_hash(secret, row.hash);
        secret_make_id("tok", row.id, sizeof row.id);
        str_copy(row.user, sizeof row.user, call->user.name);
        str_copy(row.name, sizeof row.name, name);
        rc = catalogue_write(call->server->catalogue, add_row, &row, err);
    }
    free(name);
    if (rc < 0 || (rc = reload(call, err)) < 0)
        return rc;
    call->status = 201;
    call->json = json_object();
    json_put_text(call->json, "id", row.id);
    json_put_text(call->json, "token", secret);
    return 0;
}

static int delete_row(struct db *db, void *ctx, struct err *err)
{
    const struct api_call *call = ctx;
    return db_token_delete(db, call->user.name, call->id, err);
}

int token_delete(struct api_call *call, struct err *err)
{
    int rc = catalogue_write(call->server->catalogue, delete_row, call, err);
    return rc < 0 ? rc : reload(call, err);
}
