/* What the lines of a spreadsheet say under the names of its columns, and complaints about it.
 * Thread: belongs to its import. */
#ifndef SERVER_IMPORT_SHEET_H
#define SERVER_IMPORT_SHEET_H

#include "server/csv.h"
#include "server/import.h"

enum import_column {
    IMPORT_TOWNSHIP,
    IMPORT_INSTITUTION_ID,
    IMPORT_INSTITUTION_NAME,
    IMPORT_INSTITUTION_TYPE,
    IMPORT_CAMERA_ID,
    IMPORT_CAMERA_NAME,
    IMPORT_AREA,
    IMPORT_AREA_TYPE,
    IMPORT_MAIN_URL,
    IMPORT_SUB_URL,
    IMPORT_USERNAME,
    IMPORT_PASSWORD,
    IMPORT_RECORD,
    IMPORT_COLUMNS
};

struct import_sheet {
    int at[IMPORT_COLUMNS]; /* field of each column; -1 = not in the file */
};

/* Finds the columns by their English or Chinese names; false with complaints. */
bool import_sheet_header(struct import_sheet *s, const struct csv_record *header,
                         struct import *im);

/* "" when the file or the line lacks it; valid as long as the record. */
const char *import_sheet_cell(const struct import_sheet *s, const struct csv_record *r,
                              enum import_column c);

/* Replaces the text of a row's field. */
void import_set_text(char **field, const char *text);

/* column "": about the whole line. word and fmt as for err_say(). */
void import_complain(struct import *im, unsigned line, const char *column, const char *word,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void import_complain_err(struct import *im, unsigned line, const char *column,
                         const struct err *why);
/* A message of validate.h, "field: why", under the file's name of the column; kind: "camera" or
 * "institution". */
void import_complain_field(struct import *im, unsigned line, const char *kind,
                           const struct err *err);

#endif
