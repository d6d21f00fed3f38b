/* Keys at rest and random secrets. */
#include "unit.h"

#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "server/secrets.h"

static void a_password_comes_back_with_the_same_key_only(void **state)
{
    (void)state;
    char *folder = unit_folder(), *other = unit_folder(), out[100];
    struct secrets *a, *b, *c;
    struct err err;
    size_t n;
    err_clear(&err);
    assert_int_equal(secrets_open(folder, &a, &err), 0);
    uint8_t *sealed = secrets_seal(a, "pass wörd", &n);
    assert_null(memmem(sealed, n, "pass", 4));
    secrets_close(&a);
    assert_int_equal(secrets_open(folder, &b, &err), 0);
    assert_int_equal(secrets_unseal(b, sealed, n, out, sizeof out), 0);
    assert_string_equal(out, "pass wörd");
    assert_int_equal(secrets_unseal(b, sealed, n, out, 4), ERR_TOO_BIG);
    sealed[n - 1] ^= 1;
    assert_int_equal(secrets_unseal(b, sealed, n, out, sizeof out), ERR_AUTH);
    sealed[n - 1] ^= 1;
    assert_int_equal(secrets_unseal(b, sealed, 5, out, sizeof out), ERR_AUTH);
    assert_int_equal(secrets_open(other, &c, &err), 0);
    assert_int_equal(secrets_unseal(c, sealed, n, out, sizeof out), ERR_AUTH);
    free(sealed);
    secrets_close(&b);
    secrets_close(&c);
    unit_folder_remove(&folder);
    unit_folder_remove(&other);
}

static void the_key_is_for_its_owner_only(void **state)
{
    (void)state;
    char *folder = unit_folder();
    char *path = xasprintf("%s/keys/camera.key", folder);
    struct secrets *s;
    struct err err;
    struct stat st;
    err_clear(&err);
    assert_int_equal(secrets_open(folder, &s, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    secrets_close(&s);
    unit_write(path, "short");
    assert_int_equal(secrets_open(folder, &s, &err), ERR_PARSE);
    assert_null(s);
    free(path);
    unit_folder_remove(&folder);
}

static void secrets_differ_and_ids_are_ids(void **state)
{
    (void)state;
    char a[SECRET_TEXT_BYTES], b[SECRET_TEXT_BYTES], id[65];
    secret_make(a);
    secret_make(b);
    assert_int_equal(strlen(a), SECRET_TEXT_BYTES - 1);
    assert_string_not_equal(a, b);
    secret_make_id("cam", id, sizeof id);
    assert_true(str_is_id(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_comes_back_with_the_same_key_only),
        cmocka_unit_test(the_key_is_for_its_owner_only),
        cmocka_unit_test(secrets_differ_and_ids_are_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
