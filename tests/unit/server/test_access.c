/* The one choke point: who sees and may do what. */
#include "unit.h"

#include <string.h>

#include "base/str.h"
#include "server/access.h"
#include "unit_district.h"

static int setup(void **state)
{
    *state = unit_district();
    return 0;
}

static int teardown(void **state)
{
    struct district *d = *state;
    district_unref(&d);
    return 0;
}

static struct user user(const char *role, const char *scope)
{
    struct user u = {.name = "u"};
    str_copy(u.role, sizeof u.role, role);
    str_copy(u.scope, sizeof u.scope, scope);
    return u;
}

/* Which of the four cameras this scope sees, as a string such as "1100". */
static const char *seen(const struct district *d, const char *scope, char out[5])
{
    struct user u = user("admin", scope);
    for (size_t i = 0; i < 4; i++) {
        struct node n = district_node_of_camera(d, &d->rows.cameras[i]);
        int rc = access_check(&u, PERM_VIEW_LIVE, d, &n);
        assert_true(rc == 0 || rc == ERR_NOT_FOUND);
        out[i] = rc == 0 ? '1' : '0';
    }
    out[4] = '\0';
    return out;
}

static void a_scope_sees_what_lies_below_it(void **state)
{
    char out[5];
    assert_string_equal(seen(*state, "", out), "1111");
    assert_string_equal(seen(*state, "district", out), "1111");
    assert_string_equal(seen(*state, "township:t-1", out), "1110");
    assert_string_equal(seen(*state, "institution:i-1", out), "1100");
    assert_string_equal(seen(*state, "camera:c-4", out), "0001");
    assert_string_equal(seen(*state, "t-2", out), "0001");
}

static void a_scope_whose_node_is_gone_sees_nothing(void **state)
{
    char out[5];
    assert_string_equal(seen(*state, "township:t-9", out), "0000");
    assert_string_equal(seen(*state, "institution:t-1", out), "0000");
}

static void a_township_sees_itself_but_not_the_district(void **state)
{
    struct district *d = *state;
    struct user u = user("admin", "township:t-1");
    struct node all = {.kind = NODE_DISTRICT};
    struct node own = district_node_of_township(d, district_township(d, "t-1"));
    struct node other = district_node_of_township(d, district_township(d, "t-2"));
    assert_int_equal(access_check(&u, PERM_EDIT_DISTRICT, d, &all), ERR_NOT_FOUND);
    assert_int_equal(access_check(&u, PERM_EDIT_DISTRICT, d, &own), 0);
    assert_int_equal(access_check(&u, PERM_EDIT_DISTRICT, d, &other), ERR_NOT_FOUND);
}

static void an_unknown_role_may_do_nothing(void **state)
{
    struct district *d = *state;
    struct user u = user("visitor", "");
    struct node all = {.kind = NODE_DISTRICT};
    for (int p = 0; p < PERM_COUNT; p++)
        assert_int_equal(access_check(&u, (enum permission)p, d, &all), ERR_FORBIDDEN);
    assert_false(role_is_known("visitor"));
    assert_true(role_is_known("admin"));
}

static void out_of_scope_is_told_before_the_role(void **state)
{
    struct district *d = *state;
    struct user u = user("visitor", "township:t-1");
    struct node n = district_node_of_camera(d, district_camera(d, "c-4"));
    assert_int_equal(access_check(&u, PERM_VIEW_LIVE, d, &n), ERR_NOT_FOUND);
}

static void nodes_are_written_and_read_back(void **state)
{
    static const char *const texts[] = {"", "township:t-2", "institution:i-3", "camera:c-1"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct node n;
        char out[80];
        assert_int_equal(district_node(*state, texts[i], &n), 0);
        node_print(&n, out, sizeof out);
        assert_string_equal(out, texts[i]);
    }
}

static void counts_follow_the_tree(void **state)
{
    assert_int_equal(district_count_institutions(*state, "t-1"), 2);
    assert_int_equal(district_count_township_cameras(*state, "t-1"), 3);
    assert_int_equal(district_count_cameras(*state, "i-1"), 2);
    assert_int_equal(district_count_cameras(*state, "none"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_sees_what_lies_below_it),
        cmocka_unit_test(a_scope_whose_node_is_gone_sees_nothing),
        cmocka_unit_test(a_township_sees_itself_but_not_the_district),
        cmocka_unit_test(an_unknown_role_may_do_nothing),
        cmocka_unit_test(out_of_scope_is_told_before_the_role),
        cmocka_unit_test(nodes_are_written_and_read_back),
        cmocka_unit_test(counts_follow_the_tree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
