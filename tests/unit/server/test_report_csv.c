/* The report as a table: quoting, formulas defused, unknown left empty. */
#include "unit.h"

#include <string.h>

#include "server/report.h"

static void the_table_is_safe_and_complete(void **state)
{
    (void)state;
    json_t *report = json_loads(
        "{\"period\":\"2026-11\",\"totals\":{\"cameras\":2,\"outages\":1,\"online_rate\":0.5,"
        "\"recording_rate\":null,\"coverage\":1.0,\"online_s\":5.0,\"known_s\":10.0,"
        "\"recorded_s\":0.0,\"expected_s\":10.0},"
        "\"institutions\":[{\"id\":\"i-1\",\"name\":\"=cmd(\\\"x\\\")\",\"township_name\":\"甲,乙\","
        "\"cameras\":2,\"online_rate\":0.98765,\"recording_rate\":null,\"coverage\":1.0,"
        "\"outage_count\":1,\"longest_outage_s\":61.0,\"main_cause\":\"timeout\",\"online_s\":5.0,"
        "\"known_s\":10.0,\"recorded_s\":0.0,\"expected_s\":10.0}]}",
        0, NULL);
    assert_non_null(report);
    struct buf out;
    buf_init(&out, 0);
    report_csv(report, &out);
    const char *text = buf_cstr(&out);
    assert_memory_equal(text, "\xEF\xBB\xBF", 3);
    assert_non_null(strstr(text,
                           "\"2026-11\",\"甲,乙\",\"i-1\",\"'=cmd(\"\"x\"\")\",2,98.77%,,100.00%,"
                           "1,61,\"timeout\",5,10,0,10\r\n"));
    assert_non_null(strstr(text, "合计"));
    buf_fini(&out);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_is_safe_and_complete)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
