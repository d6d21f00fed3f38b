/* The route table and docs/openapi.yaml tell the same, both ways. */
#include "unit.h"

#include <string.h>

#include "base/str.h"
#include "server/api.h"

extern const char openapi_yaml[];
extern const unsigned openapi_yaml_bytes;

/* "GET /path" for every operation of the file: paths stand at two blanks, methods at four. */
static struct map *documented(void)
{
    struct map *m = map_create();
    struct span text = {openapi_yaml, openapi_yaml_bytes}, line;
    char path[200] = "";
    bool is_inside = false;
    while (span_line(&text, &line)) {
        if (line.n > 0 && line.p[0] != ' ')
            is_inside = span_eq(span_trim(line), "paths:");
        if (!is_inside || line.n < 4 || line.p[line.n - 1] != ':')
            continue;
        size_t indent = strspn(line.p, " ");
        struct span name = {line.p + indent, line.n - indent - 1};
        if (indent == 2 && name.p[0] == '/') {
            span_copy(name, path, sizeof path);
        } else if (indent == 4) {
            static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
            for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
                char key[220];
                if (!span_eq(name, methods[i]))
                    continue;
                snprintf(key, sizeof key, "%s %s", methods[i], path);
                map_put(m, key, (void *)1);
            }
        }
    }
    return m;
}

static void route_table_and_description_agree(void **state)
{
    (void)state;
    struct map *m = documented();
    size_t n = 0;
    for (const struct route *r = api_routes; r->pattern != NULL; r++, n++) {
        char method[16], key[220];
        str_copy(method, sizeof method, http_method_name(r->method));
        for (char *p = method; *p != '\0'; p++)
            *p |= 0x20;
        snprintf(key, sizeof key, "%s %s", method, r->pattern);
        if (map_remove(m, key) == NULL)
            fail_msg("%s is not in docs/openapi.yaml, or twice in the table", key);
    }
    size_t pos = 0;
    const char *key;
    void *value;
    if (map_next(m, &pos, &key, &value))
        fail_msg("docs/openapi.yaml has %s, which is not built", key);
    assert_true(n > 40);
    map_destroy(&m);
}

static void every_route_has_one_handler_and_a_scope_that_fits(void **state)
{
    (void)state;
    for (const struct route *r = api_routes; r->pattern != NULL; r++) {
        assert_true((r->work != NULL) != (r->take != NULL));
        bool has_id = strstr(r->pattern, "{id}") != NULL;
        if (r->scope == SCOPE_CAMERA)
            assert_true(has_id && str_starts(r->pattern, "/cameras/"));
        if (str_starts(r->pattern, "/cameras/{id}"))
            assert_int_equal(r->scope, SCOPE_CAMERA);
        bool changes = r->method != HTTP_GET;
        bool is_own = str_starts(r->pattern, "/session") || str_starts(r->pattern, "/tokens");
        if (changes && !is_own)
            assert_int_not_equal(r->permission, PERM_NONE);
        if (r->flags & ROUTE_PUBLIC)
            assert_true(strcmp(r->pattern, "/session") == 0 ||
                        strcmp(r->pattern, "/openapi.yaml") == 0);
    }
}

static void codes_become_statuses(void **state)
{
    (void)state;
    assert_int_equal(api_status_of(ERR_NOT_FOUND), 404);
    assert_int_equal(api_status_of(ERR_INVALID), 422);
    assert_int_equal(api_status_of(ERR_CONFLICT), 409);
    assert_int_equal(api_status_of(ERR_BUSY), 503);
    assert_int_equal(api_status_of(ERR_PARSE), 500); /* a damaged file of ours, nobody's input */
    assert_int_equal(api_status_of(-5), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_table_and_description_agree),
        cmocka_unit_test(every_route_has_one_handler_and_a_scope_that_fits),
        cmocka_unit_test(codes_become_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
