#include "server/accounts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "base/str.h"
#include "server/failures.h"

#define TOUCH_US (60 * US_PER_S) /* a session's use is written at most so often */

struct accounts {
    struct loop *loop;
    struct pool *pool;
    struct catalogue *catalogue;
    struct account_rows rows;
    struct map *users;         /* name → struct user_row in rows */
    struct map *tokens;        /* hash in hexadecimal → struct token_row in rows */
    struct map *sessions;      /* the same → struct session_row, owned */
    struct failures *failures; /* by "user\npeer" and by "peer" */
};

/* --- loading --- */

static void hash_key(const uint8_t hash[SECRET_HASH_BYTES], char key[SECRET_TEXT_BYTES])
{
    hex_encode(hash, SECRET_HASH_BYTES, key);
}

static void secret_key(const char *secret, char key[SECRET_TEXT_BYTES])
{
    uint8_t hash[SECRET_HASH_BYTES];
    secret_hash(secret, hash);
    hash_key(hash, key);
}

static void index_rows(struct accounts *a)
{
    map_destroy(&a->users);
    map_destroy(&a->tokens);
    a->users = map_create();
    a->tokens = map_create();
    for (size_t i = 0; i < a->rows.n_users; i++)
        map_put(a->users, a->rows.users[i].name, &a->rows.users[i]);
    for (size_t i = 0; i < a->rows.n_tokens; i++) {
        char key[SECRET_TEXT_BYTES];
        hash_key(a->rows.tokens[i].hash, key);
        map_put(a->tokens, key, &a->rows.tokens[i]);
    }
}

struct first_load {
    struct account_rows rows;
    struct session_row *sessions;
    size_t n_sessions;
    int64_t now_us;
};

static int load_all(struct db *db, void *ctx, struct err *err)
{
    struct first_load *f = ctx;
    int rc = account_rows_load(db, &f->rows, err);
    if (rc == 0)
        rc = db_sessions_load(db, f->now_us, &f->sessions, &f->n_sessions, err);
    return rc;
}

int accounts_create(const struct accounts_params *params, struct accounts **out, struct err *err)
{
    struct accounts *a = xcalloc(1, sizeof *a);
    a->loop = params->loop;
    a->pool = params->pool;
    a->catalogue = params->catalogue;
    a->sessions = map_create();
    a->failures = failures_create();
    struct first_load f = {.now_us = loop_wall_us(a->loop)};
    int rc = catalogue_read(a->catalogue, load_all, &f, err);
    a->rows = f.rows;
    index_rows(a);
    size_t skip = f.n_sessions > ACCOUNTS_MAX_SESSIONS ? f.n_sessions - ACCOUNTS_MAX_SESSIONS : 0;
    for (size_t i = skip; i < f.n_sessions; i++) {
        char key[SECRET_TEXT_BYTES];
        struct session_row *s = xmalloc(sizeof *s);
        *s = f.sessions[i];
        hash_key(s->hash, key);
        map_put(a->sessions, key, s);
    }
    free(f.sessions);
    if (rc < 0)
        accounts_destroy(&a);
    *out = a;
    return rc;
}

void accounts_destroy(struct accounts **accounts)
{
    struct accounts *a = *accounts;
    if (a == NULL)
        return;
    size_t pos = 0;
    const char *key;
    void *session;
    while (map_next(a->sessions, &pos, &key, &session))
        free(session);
    map_destroy(&a->sessions);
    failures_destroy(&a->failures);
    map_destroy(&a->users);
    map_destroy(&a->tokens);
    account_rows_fini(&a->rows);
    FREE(accounts);
}

void accounts_update(struct accounts *a, struct account_rows *rows)
{
    loop_assert(a->loop);
    if (rows->revision >= a->rows.revision) {
        account_rows_fini(&a->rows);
        a->rows = *rows;
        index_rows(a);
    } else {
        account_rows_fini(rows);
    }
    *rows = (struct account_rows){0};
}

int64_t accounts_revision(const struct accounts *a)
{
    return a->rows.revision;
}

/* --- posted writes of sessions and tokens --- */

struct touch {
    enum { SESSION_ADD, SESSION_TOUCH, SESSION_DELETE, TOKEN_TOUCH } what;
    struct session_row session;
    char token_id[65];
    int64_t now_us;
};

static int apply_touch(struct db *db, void *ctx, struct err *err)
{
    struct touch *t = ctx;
    int rc = 0;
    switch (t->what) {
    case SESSION_ADD:
        rc = db_sessions_expire(db, t->now_us, err);
        return rc < 0 ? rc : db_session_add(db, &t->session, err);
    case SESSION_TOUCH:
        return db_session_touch(db, t->session.hash, t->session.seen_us, t->session.expires_us,
                                err);
    case SESSION_DELETE:
        return db_session_delete(db, t->session.hash, err);
    case TOKEN_TOUCH:
        return db_token_touch(db, t->token_id, t->now_us, err);
    }
    return rc;
}

static void touched(void *ctx, const struct err *err)
{
    if (err != NULL)
        log_warn("accounts", "%s", err->msg);
    free(ctx);
}

static void post_touch(struct accounts *a, const struct touch *t)
{
    struct touch *copy = xmalloc(sizeof *copy);
    *copy = *t;
    copy->now_us = loop_wall_us(a->loop);
    if (catalogue_post(a->catalogue, apply_touch, copy, a->loop, touched) < 0)
        free(copy); /* too much to write: the session lives in memory until a restart */
}

/* --- signing in --- */

struct sign_in_job {
    struct accounts *accounts;
    char name[65];
    char password[PASSWORD_MAX_BYTES + 1];
    char both[200]; /* key of failures: user and peer */
    char peer[100];
    sign_in_fn *fn;
    void *ctx;
    bool is_right;
    struct err err;
};

static int read_hash(struct db *db, void *ctx, struct err *err)
{
    struct user_row *row = ctx;
    char name[65];
    str_copy(name, sizeof name, row->name);
    FREE(&row->name);
    return db_user_get(db, name, row, err);
}

/* Takes as long for a name that does not exist. */
static void check_password(void *ctx)
{
    static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$9A9LnpChtLlhahtqPYPHFg$"
                                 "tWAa8vlQf7PNFDwWXK2Fl5s5CotmnMS6Qj/OLUoimEk";
    struct sign_in_job *j = ctx;
    struct user_row row = {.name = xstrdup(j->name)};
    int rc = catalogue_read(j->accounts->catalogue, read_hash, &row, &j->err);
    if (rc == 0 || rc == ERR_NOT_FOUND) {
        bool is_known = rc == 0 && row.is_enabled;
        bool is_right = crypto_pwhash_str_verify(is_known ? row.hash : nobody, j->password,
                                                 strlen(j->password)) == 0;
        j->is_right = is_known && is_right;
        err_clear(&j->err);
        if (!j->is_right)
            err_say(&j->err, ERR_AUTH, "credentials_wrong",
                    "the user name or the password is wrong");
    }
    user_row_fini(&row);
    sodium_memzero(j->password, sizeof j->password);
}

static void fill_user(const struct user_row *row, struct user *out)
{
    str_copy(out->name, sizeof out->name, row->name);
    str_copy(out->role, sizeof out->role, row->role);
    str_copy(out->scope, sizeof out->scope, row->scope);
}

static void drop_oldest_session(struct accounts *a)
{
    size_t pos = 0;
    const char *key;
    void *value;
    int64_t oldest = INT64_MAX;
    char victim[SECRET_TEXT_BYTES] = "";
    while (map_next(a->sessions, &pos, &key, &value)) {
        struct session_row *s = value;
        if (s->seen_us < oldest) {
            oldest = s->seen_us;
            str_copy(victim, sizeof victim, key);
        }
    }
    free(map_remove(a->sessions, victim));
}

static void open_session(struct accounts *a, const struct user_row *row, struct sign_in *out)
{
    char key[SECRET_TEXT_BYTES];
    struct session_row *s = xcalloc(1, sizeof *s);
    fill_user(row, &out->user);
    secret_make(out->secret);
    secret_make(out->csrf);
    secret_hash(out->secret, s->hash);
    str_copy(s->user, sizeof s->user, row->name);
    str_copy(s->csrf, sizeof s->csrf, out->csrf);
    s->created_us = s->seen_us = loop_wall_us(a->loop);
    s->expires_us = s->created_us + ACCOUNTS_SESSION_S * US_PER_S;
    if (map_count(a->sessions) >= ACCOUNTS_MAX_SESSIONS)
        drop_oldest_session(a);
    hash_key(s->hash, key);
    map_put(a->sessions, key, s);
    post_touch(a, &(struct touch){.what = SESSION_ADD, .session = *s});
}

static void sign_in_done(void *ctx)
{
    struct sign_in_job *j = ctx;
    struct accounts *a = j->accounts;
    const struct user_row *row = map_get(a->users, j->name);
    if (j->is_right && row != NULL) {
        struct sign_in result = {0};
        failures_forget(a->failures, j->both);
        open_session(a, row, &result);
        j->fn(j->ctx, &result, NULL);
        sodium_memzero(&result, sizeof result);
    } else {
        if (j->err.code == 0) /* the user was added or deleted this very moment */
            err_say(&j->err, ERR_BUSY, "busy", "the account is being changed: try again");
        if (j->err.code == ERR_AUTH) {
            int64_t now_us = loop_mono_us(a->loop);
            failures_note(a->failures, j->both, ACCOUNTS_FREE_TRIES, now_us);
            failures_note(a->failures, j->peer, ACCOUNTS_FREE_PEER_TRIES, now_us);
            log_info("accounts", "sign-in as %s from %s failed", j->name, j->peer);
        }
        j->fn(j->ctx, NULL, &j->err);
    }
    free(j);
}

int accounts_sign_in(struct accounts *a, const char *name, const char *password, const char *peer,
                     sign_in_fn *fn, void *ctx, int *out_retry_s)
{
    loop_assert(a->loop);
    struct sign_in_job *j = xcalloc(1, sizeof *j);
    j->accounts = a;
    j->fn = fn;
    j->ctx = ctx;
    str_copy(j->name, sizeof j->name, str_is_id(name) ? name : "");
    if (!str_copy(j->password, sizeof j->password, password))
        j->password[0] = '\0'; /* longer than any password: wrong */
    str_copy(j->peer, sizeof j->peer, peer);
    snprintf(j->both, sizeof j->both, "%s\n%s", j->name, j->peer);
    int64_t now_us = loop_mono_us(a->loop);
    *out_retry_s = MAX(failures_wait_s(a->failures, j->both, now_us),
                       failures_wait_s(a->failures, j->peer, now_us));
    if (*out_retry_s > 0 || !pool_submit(a->pool, check_password, a->loop, sign_in_done, j)) {
        sodium_memzero(j, sizeof *j);
        free(j);
        return ERR_BUSY;
    }
    return 0;
}

void accounts_sign_out(struct accounts *a, const char *secret)
{
    char key[SECRET_TEXT_BYTES];
    loop_assert(a->loop);
    secret_key(secret, key);
    struct session_row *s = map_remove(a->sessions, key);
    if (s == NULL)
        return;
    post_touch(a, &(struct touch){.what = SESSION_DELETE, .session = *s});
    free(s);
}

bool accounts_session(struct accounts *a, const char *secret, struct user *out,
                      char csrf[SECRET_TEXT_BYTES])
{
    char key[SECRET_TEXT_BYTES];
    loop_assert(a->loop);
    secret_key(secret, key);
    struct session_row *s = map_get(a->sessions, key);
    if (s == NULL)
        return false;
    int64_t now_us = loop_wall_us(a->loop);
    const struct user_row *row = map_get(a->users, s->user);
    if (row == NULL || !row->is_enabled || s->created_us < row->password_us ||
        s->expires_us <= now_us) {
        accounts_sign_out(a, secret);
        return false;
    }
    if (now_us - s->seen_us > TOUCH_US) {
        s->seen_us = now_us;
        s->expires_us = now_us + ACCOUNTS_SESSION_S * US_PER_S;
        post_touch(a, &(struct touch){.what = SESSION_TOUCH, .session = *s});
    }
    fill_user(row, out);
    str_copy(csrf, SECRET_TEXT_BYTES, s->csrf);
    return true;
}

bool accounts_is_current(struct accounts *a, const char *name, int64_t since_us)
{
    loop_assert(a->loop);
    const struct user_row *row = map_get(a->users, name);
    return row != NULL && row->is_enabled && since_us >= row->password_us;
}

bool accounts_token(struct accounts *a, const char *token, struct user *out)
{
    char key[SECRET_TEXT_BYTES];
    loop_assert(a->loop);
    secret_key(token, key);
    struct token_row *t = map_get(a->tokens, key);
    const struct user_row *row = t != NULL ? map_get(a->users, t->user) : NULL;
    if (row == NULL || !row->is_enabled)
        return false;
    int64_t now_us = loop_wall_us(a->loop);
    if (now_us - t->used_us > TOUCH_US) {
        struct touch touch = {.what = TOKEN_TOUCH};
        t->used_us = now_us;
        str_copy(touch.token_id, sizeof touch.token_id, t->id);
        post_touch(a, &touch);
    }
    fill_user(row, out);
    return true;
}
