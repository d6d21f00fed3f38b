/* Signing in: right and wrong passwords, delays, sessions and tokens, restarts. */
#include "unit.h"

#include <string.h>

#include "server/accounts.h"

struct rig {
    char *folder;
    struct clock_virtual clock;
    struct loop *loop;
    struct pool *pool;
    struct catalogue *catalogue;
    struct accounts *accounts;
    /* the newest answer */
    bool is_answered;
    struct sign_in in;
    struct err err;
};

static void open_accounts(struct rig *rig)
{
    struct err err;
    err_clear(&err);
    rig->pool = pool_create(&(struct pool_params){.n_threads = 1});
    assert_int_equal(accounts_create(&(struct accounts_params){.loop = rig->loop,
                                                               .pool = rig->pool,
                                                               .catalogue = rig->catalogue},
                                     &rig->accounts, &err),
                     0);
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    struct err err;
    char generated[SECRET_TEXT_BYTES];
    struct secrets *secrets;
    err_clear(&err);
    rig->folder = unit_folder();
    clock_virtual_init(&rig->clock, 0);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    assert_int_equal(secrets_open(rig->folder, &secrets, &err), 0); /* starts libsodium */
    secrets_close(&secrets);
    assert_int_equal(catalogue_open(rig->folder, clock_system(), &rig->catalogue, &err), 0);
    assert_int_equal(accounts_ensure_admin(rig->catalogue, "right password", generated, &err), 0);
    assert_string_equal(generated, "");
    rig->clock.now_wall_us = clock_wall_us(clock_system()); /* users are written with its time */
    open_accounts(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    pool_destroy(&rig->pool);
    catalogue_close(&rig->catalogue);
    loop_turn(rig->loop, false);
    accounts_destroy(&rig->accounts);
    loop_destroy(&rig->loop);
    unit_folder_remove(&rig->folder);
    free(rig);
    return 0;
}

static void answered(void *ctx, const struct sign_in *in, const struct err *err)
{
    struct rig *rig = ctx;
    rig->is_answered = true;
    rig->in = in != NULL ? *in : (struct sign_in){.secret = ""};
    rig->err.code = err != NULL ? err->code : 0;
}

/* The code of the answer; ERR_BUSY with *out_retry_s when it is not even tried. */
static int sign_in(struct rig *rig, const char *name, const char *password, int *out_retry_s)
{
    rig->is_answered = false;
    int rc =
        accounts_sign_in(rig->accounts, name, password, "10.0.0.1", answered, rig, out_retry_s);
    while (rc == 0 && !rig->is_answered)
        loop_turn(rig->loop, true);
    return rc < 0 ? rc : rig->err.code;
}

static void only_the_right_password_opens_a_session(void **state)
{
    struct rig *rig = *state;
    struct user user;
    char csrf[SECRET_TEXT_BYTES];
    int retry_s;
    assert_int_equal(sign_in(rig, "admin", "wrong password", &retry_s), ERR_AUTH);
    assert_int_equal(sign_in(rig, "nobody", "right password", &retry_s), ERR_AUTH);
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), 0);
    assert_true(accounts_session(rig->accounts, rig->in.secret, &user, csrf));
    assert_string_equal(user.name, "admin");
    assert_string_equal(csrf, rig->in.csrf);
    assert_false(accounts_session(rig->accounts, rig->in.csrf, &user, csrf));
    accounts_sign_out(rig->accounts, rig->in.secret);
    assert_false(accounts_session(rig->accounts, rig->in.secret, &user, csrf));
}

static void failures_cost_growing_time(void **state)
{
    struct rig *rig = *state;
    int retry_s = 0, last = 0;
    for (int i = 0; i < ACCOUNTS_FREE_TRIES; i++)
        assert_int_equal(sign_in(rig, "admin", "wrong password", &retry_s), ERR_AUTH);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), ERR_BUSY);
        assert_true(retry_s > last);
        last = retry_s;
        loop_advance(rig->loop, &rig->clock, retry_s * US_PER_S);
        assert_int_equal(sign_in(rig, "admin", "wrong password", &retry_s), ERR_AUTH);
    }
    sign_in(rig, "admin", "right password", &retry_s);
    loop_advance(rig->loop, &rig->clock, retry_s * US_PER_S);
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), 0);
    assert_int_equal(sign_in(rig, "admin", "wrong password", &retry_s),
                     ERR_AUTH); /* counted anew */
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), 0);
}

static void a_session_slides_and_ends(void **state)
{
    struct rig *rig = *state;
    struct user user;
    char csrf[SECRET_TEXT_BYTES];
    int retry_s;
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), 0);
    for (int i = 0; i < 3; i++) {
        loop_advance(rig->loop, &rig->clock, (ACCOUNTS_SESSION_S - 60) * US_PER_S);
        assert_true(accounts_session(rig->accounts, rig->in.secret, &user, csrf));
    }
    loop_advance(rig->loop, &rig->clock, (ACCOUNTS_SESSION_S + 1) * US_PER_S);
    assert_false(accounts_session(rig->accounts, rig->in.secret, &user, csrf));
}

static void a_session_survives_a_restart(void **state)
{
    struct rig *rig = *state;
    struct user user;
    char csrf[SECRET_TEXT_BYTES];
    struct err err;
    int retry_s;
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), 0);
    pool_destroy(&rig->pool);
    catalogue_close(&rig->catalogue);
    loop_turn(rig->loop, false);
    accounts_destroy(&rig->accounts);
    assert_int_equal(catalogue_open(rig->folder, clock_system(), &rig->catalogue, &err), 0);
    open_accounts(rig);
    assert_true(accounts_session(rig->accounts, rig->in.secret, &user, csrf));
    assert_string_equal(csrf, rig->in.csrf);
}

static int load_rows(struct db *db, void *ctx, struct err *err)
{
    return account_rows_load(db, ctx, err);
}

static void reload(struct rig *rig)
{
    struct account_rows rows;
    struct err err;
    assert_int_equal(catalogue_read(rig->catalogue, load_rows, &rows, &err), 0);
    accounts_update(rig->accounts, &rows);
}

static void a_new_password_ends_every_session(void **state)
{
    struct rig *rig = *state;
    struct user user;
    char csrf[SECRET_TEXT_BYTES];
    struct err err;
    int retry_s;
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), 0);
    assert_int_equal(accounts_set_password(rig->catalogue, "admin", "short", &err), ERR_INVALID);
    assert_int_equal(accounts_set_password(rig->catalogue, "admin", "another password", &err), 0);
    reload(rig);
    assert_false(accounts_session(rig->accounts, rig->in.secret, &user, csrf));
    assert_int_equal(sign_in(rig, "admin", "right password", &retry_s), ERR_AUTH);
}

static int add_token(struct db *db, void *ctx, struct err *err)
{
    return db_token_add(db, ctx, err);
}

static int delete_admin(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_user_delete(db, "admin", err);
}

static void a_token_works_until_its_user_goes(void **state)
{
    struct rig *rig = *state;
    struct token_row row = {.id = "tok-1", .user = "admin", .name = "test"};
    struct user user;
    struct err err;
    secret_hash("the secret", row.hash);
    assert_int_equal(catalogue_write(rig->catalogue, add_token, &row, &err), 0);
    assert_false(accounts_token(rig->accounts, "the secret", &user));
    reload(rig);
    assert_true(accounts_token(rig->accounts, "the secret", &user));
    assert_false(accounts_token(rig->accounts, "another", &user));
    assert_int_equal(catalogue_write(rig->catalogue, delete_admin, NULL, &err), ERR_CONFLICT);
    assert_int_equal(accounts_add_user(rig->catalogue, "boss", "admin", "", "some password", &err),
                     0);
    assert_int_equal(catalogue_write(rig->catalogue, delete_admin, NULL, &err), 0);
    reload(rig);
    assert_false(accounts_token(rig->accounts, "the secret", &user));
}

static void users_that_make_no_sense_are_refused(void **state)
{
    struct rig *rig = *state;
    struct err err;
    assert_int_equal(accounts_add_user(rig->catalogue, "a b", "admin", "", "some password", &err),
                     ERR_INVALID);
    assert_int_equal(accounts_add_user(rig->catalogue, "x", "king", "", "some password", &err),
                     ERR_INVALID);
    assert_int_equal(accounts_add_user(rig->catalogue, "admin", "admin", "", "some password", &err),
                     ERR_CONFLICT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_the_right_password_opens_a_session),
        TEST(failures_cost_growing_time),
        TEST(a_session_slides_and_ends),
        TEST(a_session_survives_a_restart),
        TEST(a_new_password_ends_every_session),
        TEST(a_token_works_until_its_user_goes),
        TEST(users_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
