/* Changes of users that block: for pool threads and commands. */
#include "server/accounts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/str.h"
#include "server/validate.h"

int password_hash(const char *password, char out[PASSWORD_HASH_BYTES], struct err *err)
{
    static_assert(crypto_pwhash_STRBYTES <= PASSWORD_HASH_BYTES, "room for a hash");
    size_t n = strlen(password);
    if (n < PASSWORD_MIN_BYTES || n > PASSWORD_MAX_BYTES)
        return err_say(err, ERR_INVALID, "password_length", "password: %d to %d bytes",
                       PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES);
    if (crypto_pwhash_str(out, password, n, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return err_set(err, -ENOMEM, "hash the password");
    return 0;
}

struct user_change {
    struct user_row row;
    const char *password_of; /* set the hash of this user instead of adding row */
};

static int apply_change(struct db *db, void *ctx, struct err *err)
{
    struct user_change *c = ctx;
    if (c->password_of != NULL)
        return db_user_set_hash(db, c->password_of, c->row.hash, c->row.password_us, err);
    return db_user_add(db, &c->row, err);
}

int accounts_add_user(struct catalogue *c, const char *name, const char *role, const char *scope,
                      const char *password, struct err *err)
{
    char hash[PASSWORD_HASH_BYTES];
    if (!str_is_id(name))
        return err_say(err, ERR_INVALID, "field_id",
                       "%s: 1 to 64 of the characters A-Z a-z 0-9 _ -, not \"%.64s\"", "name",
                       name);
    if (!role_is_known(role))
        return err_text(err, ERR_INVALID, "role: \"%.32s\" is unknown; this version has admin",
                        role);
    if (scope[0] != '\0')
        return err_text(err, ERR_UNSUPPORTED,
                        "scope: accounts for a part of the district are not in this version");
    int rc = password_hash(password, hash, err);
    if (rc < 0)
        return rc;
    int64_t now_us = clock_wall_us(clock_system());
    struct user_change change = {.row = {.name = (char *)name,
                                         .role = (char *)role,
                                         .scope = (char *)scope,
                                         .hash = hash,
                                         .is_enabled = true,
                                         .created_us = now_us,
                                         .password_us = now_us}};
    return catalogue_write(c, apply_change, &change, err);
}

int accounts_set_password(struct catalogue *c, const char *name, const char *password,
                          struct err *err)
{
    char hash[PASSWORD_HASH_BYTES];
    int rc = password_hash(password, hash, err);
    if (rc < 0)
        return rc;
    struct user_change change = {
        .row = {.hash = hash, .password_us = clock_wall_us(clock_system())}, .password_of = name};
    return catalogue_write(c, apply_change, &change, err);
}

static int count_users(struct db *db, void *ctx, struct err *err)
{
    return db_users_count(db, ctx, err);
}

int accounts_ensure_admin(struct catalogue *c, const char *given, char generated[SECRET_TEXT_BYTES],
                          struct err *err)
{
    int64_t n = 0;
    generated[0] = '\0';
    int rc = catalogue_read(c, count_users, &n, err);
    if (rc < 0 || n > 0)
        return rc;
    char password[SECRET_TEXT_BYTES];
    if (given == NULL || given[0] == '\0') {
        secret_make(password);
        password[16] = '\0'; /* 64 random bits: enough behind the growing delay */
    }
    rc = accounts_add_user(c, "admin", "admin", "", given && given[0] ? given : password, err);
    if (rc < 0)
        return err_wrap(err, rc, "create user admin");
    if (given == NULL || given[0] == '\0')
        str_copy(generated, SECRET_TEXT_BYTES, password);
    return 0;
}

int account_rows_load(struct db *db, struct account_rows *out, struct err *err)
{
    *out = (struct account_rows){0};
    int rc = db_accounts_revision(db, &out->revision, err);
    if (rc == 0)
        rc = db_users_list(db, &out->users, &out->n_users, err);
    if (rc == 0)
        rc = db_tokens_load(db, &out->tokens, &out->n_tokens, err);
    if (rc < 0)
        account_rows_fini(out);
    return rc;
}

void account_rows_fini(struct account_rows *rows)
{
    for (size_t i = 0; i < rows->n_users; i++)
        user_row_fini(&rows->users[i]);
    free(rows->users);
    free(rows->tokens);
    *rows = (struct account_rows){0};
}
