#include "server/import_sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *name, *chinese;
    bool is_required;
} columns[IMPORT_COLUMNS] = {
    [IMPORT_TOWNSHIP] = {"township", "乡镇", true},
    [IMPORT_INSTITUTION_ID] = {"institution_id", "机构编号", true},
    [IMPORT_INSTITUTION_NAME] = {"institution_name", "机构名称", true},
    [IMPORT_INSTITUTION_TYPE] = {"institution_type", "机构类型", false},
    [IMPORT_CAMERA_ID] = {"camera_id", "摄像机编号", false},
    [IMPORT_CAMERA_NAME] = {"camera_name", "摄像机名称", false},
    [IMPORT_AREA] = {"area", "区域", false},
    [IMPORT_AREA_TYPE] = {"area_type", "区域类型", false},
    [IMPORT_MAIN_URL] = {"main_url", "主码流", false},
    [IMPORT_SUB_URL] = {"sub_url", "子码流", false},
    [IMPORT_USERNAME] = {"username", "用户名", false},
    [IMPORT_PASSWORD] = {"password", "密码", false},
    [IMPORT_RECORD] = {"record", "录像", false},
};

/* The reason is the message of why from that byte on. */
static void keep(struct import *im, unsigned line, const char *column, const struct err *why,
                 size_t from)
{
    if (im->n_errors++ >= IMPORT_MAX_ERRORS)
        return;
    if (im->errors == NULL)
        im->errors = xcalloc(IMPORT_MAX_ERRORS, sizeof *im->errors);
    struct import_error *e = &im->errors[im->n_errors - 1];
    e->line = line;
    str_copy(e->column, sizeof e->column, column);
    str_copy(e->reason, sizeof e->reason, why->msg + from);
    e->why = *why;
}

void import_complain(struct import *im, unsigned line, const char *column, const char *word,
                     const char *fmt, ...)
{
    struct err why;
    va_list args;
    va_start(args, fmt);
    err_vsay(&why, ERR_INVALID, word, fmt, args);
    va_end(args);
    keep(im, line, column, &why, 0);
}

void import_complain_err(struct import *im, unsigned line, const char *column,
                         const struct err *why)
{
    keep(im, line, column, why, 0);
}

void import_complain_field(struct import *im, unsigned line, const char *kind,
                           const struct err *err)
{
    struct span rest = span_of(err->msg), field;
    char column[64];
    span_cut(&rest, ':', &field);
    if (span_eq(field, "id") || span_eq(field, "name"))
        snprintf(column, sizeof column, "%s_" SPAN_FMT, kind, SPAN_ARG(field));
    else if (span_eq(field, "type"))
        snprintf(column, sizeof column, "%s_type", kind);
    else
        span_copy(field, column, sizeof column);
    rest = span_trim(rest);
    keep(im, line, column, err, (size_t)(rest.p - err->msg));
}

bool import_sheet_header(struct import_sheet *s, const struct csv_record *header, struct import *im)
{
    for (int c = 0; c < IMPORT_COLUMNS; c++)
        s->at[c] = -1;
    for (size_t i = 0; i < header->n_fields; i++) {
        int found = -1;
        for (int c = 0; c < IMPORT_COLUMNS; c++) {
            if (span_ieq(span_of(header->fields[i]), columns[c].name) ||
                strcmp(header->fields[i], columns[c].chinese) == 0)
                found = c;
        }
        if (found < 0 && header->fields[i][0] != '\0')
            import_complain(im, header->line, header->fields[i], "import_column_unknown",
                            "unknown column: remove it, or correct its name in the header line");
        else if (found >= 0 && s->at[found] >= 0)
            import_complain(im, header->line, columns[found].name, "import_column_twice",
                            "the column is there twice");
        else if (found >= 0)
            s->at[found] = (int)i;
    }
    for (int c = 0; c < IMPORT_COLUMNS; c++) {
        if (columns[c].is_required && s->at[c] < 0)
            import_complain(im, header->line, columns[c].name, "import_column_missing",
                            "the header line lacks this column");
    }
    return im->n_errors == 0;
}

const char *import_sheet_cell(const struct import_sheet *s, const struct csv_record *r,
                              enum import_column c)
{
    int i = s->at[c];
    return i >= 0 && (size_t)i < r->n_fields ? r->fields[i] : "";
}

void import_set_text(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text);
}
