#include <string.h>

#include "base/str.h"
#include "server/report.h"

/* Quoted; a leading sign that spreadsheets would take for a formula is defused. */
static void put_text(struct buf *b, const char *text)
{
    buf_puts(b, "\"");
    if (text[0] != '\0' && strchr("=+-@\t", text[0]) != NULL)
        buf_puts(b, "'");
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buf_puts(b, "\"");
        buf_append(b, text, 1);
    }
    buf_puts(b, "\",");
}

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static void put_percent(struct buf *b, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_number(v))
        buf_printf(b, "%.2f%%,", 100 * json_number_value(v));
    else
        buf_puts(b, ",");
}

static void put_numbers(struct buf *b, const json_t *o)
{
    static const char *const keys[] = {"online_s", "known_s", "recorded_s", "expected_s"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        buf_printf(b, "%.0f%s", json_number_value(json_object_get(o, keys[i])),
                   i + 1 < ARRAY_LEN(keys) ? "," : "\r\n");
}

static void put_row(struct buf *b, const char *period, const json_t *o)
{
    put_text(b, period);
    put_text(b, member(o, "township_name"));
    put_text(b, member(o, "id"));
    put_text(b, member(o, "name"));
    buf_printf(b, "%" JSON_INTEGER_FORMAT ",", json_integer_value(json_object_get(o, "cameras")));
    put_percent(b, o, "online_rate");
    put_percent(b, o, "recording_rate");
    put_percent(b, o, "coverage");
    buf_printf(b, "%" JSON_INTEGER_FORMAT ",%.0f,",
               json_integer_value(json_object_get(o, "outage_count")),
               json_number_value(json_object_get(o, "longest_outage_s")));
    put_text(b, member(o, "main_cause"));
    put_numbers(b, o);
}

void report_csv(const json_t *report, struct buf *out)
{
    size_t i;
    json_t *inst;
    const json_t *totals = json_object_get(report, "totals");
    const char *period = member(report, "period");
    buf_puts(out, "\xEF\xBB\xBF" /* so that spreadsheets take it for UTF-8 */
                  "周期,乡镇,机构编号,机构名称,摄像机数,在线率,录像完整率,数据覆盖率,故障次数,"
                  "最长故障秒数,主要原因,在线秒数,已知秒数,录像秒数,应在线秒数\r\n");
    json_array_foreach(json_object_get(report, "institutions"), i, inst)
    {
        put_row(out, period, inst);
    }
    put_text(out, period);
    buf_puts(out, ",,合计,");
    buf_printf(out, "%" JSON_INTEGER_FORMAT ",",
               json_integer_value(json_object_get(totals, "cameras")));
    put_percent(out, totals, "online_rate");
    put_percent(out, totals, "recording_rate");
    put_percent(out, totals, "coverage");
    buf_printf(out, "%" JSON_INTEGER_FORMAT ",,,",
               json_integer_value(json_object_get(totals, "outages")));
    put_numbers(out, totals);
}
