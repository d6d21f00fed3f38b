/* A spreadsheet against the district that is there. */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "server/import.h"
#include "unit_district.h"

struct rig {
    char *folder;
    struct secrets *secrets;
    struct district *district;
};

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    struct err err;
    rig->folder = unit_folder();
    err_clear(&err);
    assert_int_equal(secrets_open(rig->folder, &rig->secrets, &err), 0);
    rig->district = unit_district();
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    district_unref(&rig->district);
    secrets_close(&rig->secrets);
    unit_folder_remove(&rig->folder);
    free(rig);
    return 0;
}

static void plan(const struct rig *rig, const char *text, struct import *out)
{
    import_plan(text, strlen(text), rig->district, rig->secrets, 1000, out);
}

#define HEADER                                                                                     \
    "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,sub_url,"   \
    "record,password\n"

static void new_things_are_planned(void **state)
{
    struct import im;
    plan(*state,
         HEADER "丙镇,i-9,九号园,c-9,门,大门,rtsp://h/9,,,secret\n"
                "丙镇,i-9,,c-10,,,rtsp://h/10,rtsp://h/11,both,\n"
                "t-1,i-8,八号园,,,,,,,\n",
         &im);
    assert_int_equal(im.n_errors, 0);
    assert_int_equal(im.n_rows, 3);
    assert_int_equal(im.townships.n_new, 1);
    assert_int_equal(im.institutions.n_new, 2);
    assert_int_equal(im.cameras.n_new, 2);
    assert_string_equal(im.put_cameras[0].area_type, "entrance");
    assert_string_equal(im.put_cameras[0].record, "main");
    assert_int_equal(im.put_cameras[0].created_us, 1000);
    assert_non_null(im.put_cameras[0].password);
    assert_string_equal(im.put_cameras[1].name, "c-10");
    assert_null(im.put_cameras[1].password);
    assert_string_equal(im.put_institutions[1].township_id, "t-1");
    import_fini(&im);
}

static void credentials_in_addresses_are_taken_out(void **state)
{
    struct import im;
    plan(*state,
         HEADER "甲镇,i-9,x,c-9,,,rtsp://u:p%40@h/1,rtsp://u:p%40@h/2,both,\n"
                "甲镇,i-9,x,c-10,,,rtsp://u:p@h/1,,,other\n",
         &im);
    const struct rig *rig = *state;
    char out[20];
    assert_int_equal(im.n_errors, 0);
    for (size_t i = 0; i < 2; i++) {
        const struct camera_row *c = &im.put_cameras[i];
        assert_string_equal(c->main_url, "rtsp://h/1");
        assert_string_equal(c->username, "u");
        assert_int_equal(
            secrets_unseal(rig->secrets, c->password, c->password_bytes, out, sizeof out), 0);
        assert_string_equal(out, i == 0 ? "p@" : "other");
    }
    assert_string_equal(im.put_cameras[0].sub_url, "rtsp://h/2");
    import_fini(&im);
}

static void a_camera_that_pushes_has_a_key(void **state)
{
    struct import im;
    plan(*state, HEADER "甲镇,i-9,x,c-9,,,push:,push:,both,the-key\n", &im);
    assert_int_equal(im.n_errors, 0);
    assert_string_equal(im.put_cameras[0].main_url, "push:");
    assert_string_equal(im.put_cameras[0].sub_url, "push:");
    assert_non_null(im.put_cameras[0].password);
    import_fini(&im);
}

static void what_is_the_same_is_no_change(void **state)
{
    struct import im;
    plan(*state, HEADER "甲镇,i-1,i-1,c-1,c-1,other,rtsp://127.0.0.1/x,,main,\n", &im);
    assert_int_equal(im.n_errors, 0);
    assert_int_equal(im.cameras.n_new + im.cameras.n_changed, 0);
    assert_int_equal(im.institutions.n_new + im.institutions.n_changed, 0);
    assert_int_equal(im.townships.n_new + im.townships.n_changed, 0);
    import_fini(&im);
}

static void changes_keep_what_the_file_does_not_tell(void **state)
{
    struct import im;
    plan(*state, HEADER "乙镇,i-1,新名,c-1,,,rtsp://127.0.0.1/y,,,\n", &im);
    assert_int_equal(im.n_errors, 0);
    assert_int_equal(im.institutions.n_changed, 1);
    assert_string_equal(im.put_institutions[0].township_id, "t-2");
    assert_string_equal(im.put_institutions[0].address, "street");
    assert_int_equal(im.cameras.n_changed, 1);
    assert_string_equal(im.put_cameras[0].name, "c-1");
    assert_int_equal(im.put_cameras[0].created_us, 0);
    import_fini(&im);
}

static void every_mistake_names_line_and_column(void **state)
{
    static const struct {
        const char *row, *column, *reason;
    } cases[] = {
        {"甲镇,,x,c-9,,,rtsp://h/1,,,", "institution_id", "empty"},
        {"甲镇,a b,x,c-9,,,rtsp://h/1,,,", "institution_id", "no id"},
        {",i-9,x,c-9,,,rtsp://h/1,,,", "township", "empty"},
        {"甲镇,i-9,,c-9,,,rtsp://h/1,,,", "institution_name", "empty"},
        {"甲镇,i-9,x,c 9,,,rtsp://h/1,,,", "camera_id", "no id"},
        {"甲镇,i-9,x,,,,rtsp://h/1,,,", "camera_id", "empty"},
        {"甲镇,i-9,x,c-9,,,,,,", "main_url", "empty"},
        {"甲镇,i-9,x,c-9,,,ftp://h/1,,,", "main_url", "RTSP"},
        {"甲镇,i-9,x,c-9,,,push:,,,", "password", "key"},
        {"甲镇,i-9,x,c-9,,,push:x,,,k", "main_url", "push:"},
        {"甲镇,i-9,x,c-9,,,rtsp://h/1,nonsense,,", "sub_url", "RTSP"},
        {"甲镇,i-9,x,c-9,,garden,rtsp://h/1,,,", "area_type", "unknown"},
        {"甲镇,i-9,x,c-9,,卫生间,rtsp://h/1,,,", "area_type", "law"},
        {"甲镇,i-9,x,c-9,,changing,rtsp://h/1,,,", "area_type", "law"},
        {"甲镇,i-9,x,c-9,,母婴室,rtsp://h/1,,,", "area_type", "law"},
        {"甲镇,i-9,x,c-9,,staff_rest,rtsp://h/1,,,", "area_type", "law"},
        {"甲镇,i-9,x,c-9,,,rtsp://h/1,,sometimes,", "record", "unknown"},
        {"甲镇,i-9,x,c-9,,,rtsp://h/1,,both,", "record", "sub_url"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct import im;
        char *text = xasprintf(HEADER "甲镇,i-1,i-1,c-1,,,,,,\n%s\n", cases[i].row);
        plan(*state, text, &im);
        if (im.n_errors != 1 || im.errors[0].line != 3 ||
            strcmp(im.errors[0].column, cases[i].column) != 0 ||
            strstr(im.errors[0].reason, cases[i].reason) == NULL)
            fail_msg("%s: %zu errors, line %u, %s: %s", cases[i].row, im.n_errors,
                     im.n_errors ? im.errors[0].line : 0, im.n_errors ? im.errors[0].column : "",
                     im.n_errors ? im.errors[0].reason : "");
        import_fini(&im);
        free(text);
    }
}

static void lines_that_contradict_each_other_are_told(void **state)
{
    struct import im;
    plan(*state,
         HEADER "甲镇,i-9,x,c-9,,,rtsp://h/1,,,\n"
                "甲镇,i-9,y,c-8,,,rtsp://h/1,,,\n"
                "乙镇,i-9,x,c-7,,,rtsp://h/1,,,\n"
                "甲镇,i-9,x,c-9,,,rtsp://h/1,,,\n",
         &im);
    assert_int_equal(im.n_errors, 3);
    assert_string_equal(im.errors[0].column, "institution_name");
    assert_string_equal(im.errors[1].column, "township");
    assert_string_equal(im.errors[2].column, "camera_id");
    assert_non_null(strstr(im.errors[2].reason, "line 2"));
    import_fini(&im);
}

static void a_wrong_header_is_told_once(void **state)
{
    static const char *const texts[] = {"", "camera_id\nx\n", "township,township,institution_id\n",
                                        HEADER "\"open", "\xff\xfe\x00"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct import im;
        plan(*state, texts[i], &im);
        assert_true(im.n_errors > 0);
        assert_int_equal(im.n_put_cameras, 0);
        import_fini(&im);
    }
}

static void errors_are_bounded_but_counted(void **state)
{
    struct import im;
    struct buf text;
    buf_init(&text, 0);
    buf_puts(&text, HEADER);
    for (int i = 0; i < IMPORT_MAX_ERRORS + 5; i++)
        buf_puts(&text, "甲镇,,,,,,,,,\n");
    plan(*state, buf_cstr(&text), &im);
    assert_int_equal(im.n_errors, IMPORT_MAX_ERRORS + 5);
    assert_int_equal(import_kept_errors(&im), IMPORT_MAX_ERRORS);
    import_fini(&im);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_things_are_planned),
        cmocka_unit_test(credentials_in_addresses_are_taken_out),
        cmocka_unit_test(a_camera_that_pushes_has_a_key),
        cmocka_unit_test(what_is_the_same_is_no_change),
        cmocka_unit_test(changes_keep_what_the_file_does_not_tell),
        cmocka_unit_test(every_mistake_names_line_and_column),
        cmocka_unit_test(lines_that_contradict_each_other_are_told),
        cmocka_unit_test(a_wrong_header_is_told_once),
        cmocka_unit_test(errors_are_bounded_but_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
