/* Who is signed in: users, sessions and tokens, kept in memory over the catalogue.
 *
 * Passwords are argon2id (libsodium), checked on a pool of their own. Secrets of cookies and tokens
 * are 256 random bits; only their hashes are kept. A session slides: it ends 12 hours after its
 * last use, and with any change of its user's password. Thread: the loop given at create, except
 * functions marked [pool], which block. Bounds: ACCOUNTS_MAX_SESSIONS sessions. What failed
 * sign-ins cost: failures.h. */
#ifndef SERVER_ACCOUNTS_H
#define SERVER_ACCOUNTS_H

#include "base/loop.h"
#include "base/pool.h"
#include "server/access.h"
#include "server/secrets.h"
#include "storage/catalogue.h"
#include "storage/db_accounts.h"

#define ACCOUNTS_MAX_SESSIONS    4096
#define ACCOUNTS_SESSION_S       (12 * 3600)
#define ACCOUNTS_FREE_TRIES      5  /* of one user from one address, before waiting begins */
#define ACCOUNTS_FREE_PEER_TRIES 20 /* of one address */
#define PASSWORD_MIN_BYTES       8
#define PASSWORD_MAX_BYTES       256
#define PASSWORD_HASH_BYTES      128

/* Users and tokens as read from the catalogue. */
struct account_rows {
    struct user_row *users;
    size_t n_users;
    struct token_row *tokens;
    size_t n_tokens;
    int64_t revision;
};
int account_rows_load(struct db *db, struct account_rows *out, struct err *err);
void account_rows_fini(struct account_rows *rows);

struct accounts;

struct accounts_params {
    struct loop *loop;
    struct pool *pool; /* for passwords: few threads, each check takes 64 MiB for a moment */
    struct catalogue *catalogue;
};

/* Loads everything: blocks. */
int accounts_create(const struct accounts_params *params, struct accounts **out, struct err *err);
/* No sign-in may be under way: destroy the pool first. */
void accounts_destroy(struct accounts **a);

/* Takes newer rows over; older ones are dropped. Always empties *rows. */
void accounts_update(struct accounts *a, struct account_rows *rows);
int64_t accounts_revision(const struct accounts *a);

/* --- signing in --- */

struct sign_in {
    struct user user;
    char secret[SECRET_TEXT_BYTES]; /* for the cookie */
    char csrf[SECRET_TEXT_BYTES];
};
/* result NULL: wrong user or password (ERR_AUTH), or the catalogue failed. */
typedef void sign_in_fn(void *ctx, const struct sign_in *result, const struct err *err);

/* 0: fn is called later, exactly once. ERR_BUSY: not now; *out_retry_s tells when, 0 = the server
 * is busy, > 0 = too many failures. */
int accounts_sign_in(struct accounts *a, const char *name, const char *password, const char *peer,
                     sign_in_fn *fn, void *ctx, int *out_retry_s);
void accounts_sign_out(struct accounts *a, const char *secret);

/* Fill out for a live session or token; false when there is none. */
bool accounts_session(struct accounts *a, const char *secret, struct user *out,
                      char csrf[SECRET_TEXT_BYTES]);
bool accounts_token(struct accounts *a, const char *token, struct user *out);

/* Whether somebody who signed in at since_us (wall clock) still may: for what stays open, such as a
 * wall. A new password or the end of the account ends it. */
bool accounts_is_current(struct accounts *a, const char *name, int64_t since_us);

/* --- [pool] changes; each is one durable write --- */

/* ERR_INVALID: too short or too long. */
int password_hash(const char *password, char out[PASSWORD_HASH_BYTES], struct err *err);
int accounts_add_user(struct catalogue *c, const char *name, const char *role, const char *scope,
                      const char *password, struct err *err);
int accounts_set_password(struct catalogue *c, const char *name, const char *password,
                          struct err *err);

/* Makes user admin when there is no user at all: with `given` as password, or a random one written
 * to `generated` ("" when nothing was made or `given` was used). */
int accounts_ensure_admin(struct catalogue *c, const char *given, char generated[SECRET_TEXT_BYTES],
                          struct err *err);

#endif
