/* Users, sessions and tokens in the catalogue. Secrets are stored as hashes only.
 * Thread: inside a catalogue job. Strings of a row are owned by it and never NULL. */
#ifndef STORAGE_DB_ACCOUNTS_H
#define STORAGE_DB_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;

#define ACCOUNT_HASH_BYTES 32

struct user_row {
    char *name, *role, *scope;
    char *hash; /* argon2id text */
    bool is_enabled;
    int64_t created_us, password_us;
};
void user_row_fini(struct user_row *r);

/* Rises with every change of users or tokens by any process; sign-ins do not count. */
int db_accounts_revision(struct db *db, int64_t *out, struct err *err);

int db_users_count(struct db *db, int64_t *out, struct err *err);
int db_user_get(struct db *db, const char *name, struct user_row *out, struct err *err);
int db_users_list(struct db *db, struct user_row **out, size_t *out_n, struct err *err);
/* ERR_CONFLICT when the name exists. */
int db_user_add(struct db *db, const struct user_row *r, struct err *err);
/* Also ends every session of the user. ERR_NOT_FOUND. */
int db_user_set_hash(struct db *db, const char *name, const char *hash, int64_t now_us,
                     struct err *err);
/* ERR_NOT_FOUND; ERR_CONFLICT for the last enabled admin. Sessions and tokens go with it. */
int db_user_delete(struct db *db, const char *name, struct err *err);

struct session_row {
    uint8_t hash[ACCOUNT_HASH_BYTES];
    char user[65], csrf[65];
    int64_t created_us, seen_us, expires_us;
};
int db_session_add(struct db *db, const struct session_row *r, struct err *err);
/* Everything that has not expired; `out` is the caller's to free. */
int db_sessions_load(struct db *db, int64_t now_us, struct session_row **out, size_t *out_n,
                     struct err *err);
int db_session_touch(struct db *db, const uint8_t hash[ACCOUNT_HASH_BYTES], int64_t seen_us,
                     int64_t expires_us, struct err *err);
int db_session_delete(struct db *db, const uint8_t hash[ACCOUNT_HASH_BYTES], struct err *err);
int db_sessions_clear(struct db *db, struct err *err);
int db_sessions_expire(struct db *db, int64_t now_us, struct err *err);

struct token_row {
    char id[65], user[65], name[400];
    uint8_t hash[ACCOUNT_HASH_BYTES];
    int64_t created_us, used_us;
};
int db_token_add(struct db *db, const struct token_row *r, struct err *err);
int db_tokens_load(struct db *db, struct token_row **out, size_t *out_n, struct err *err);
int db_token_touch(struct db *db, const char *id, int64_t used_us, struct err *err);
/* Only of that user. ERR_NOT_FOUND. */
int db_token_delete(struct db *db, const char *user, const char *id, struct err *err);

#endif
