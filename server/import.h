/* Townships, institutions and cameras out of a spreadsheet saved as CSV: read, compared with what
 * is there, and applied as one transaction or not at all.
 * Thread: pool or a command's main thread; import_apply runs inside a catalogue job. */
#ifndef SERVER_IMPORT_H
#define SERVER_IMPORT_H

#include "server/district.h"
#include "server/secrets.h"

#define IMPORT_MAX_BYTES  (8u << 20)
#define IMPORT_MAX_ROWS   20000
#define IMPORT_MAX_ERRORS 1000 /* further ones are only counted */

struct import_error {
    unsigned line;   /* of the file; the header is line 1 */
    char column[32]; /* "" = the whole line */
    char reason[ERR_MSG_BYTES];
    struct err why; /* its word and values */
};

struct import_count {
    int n_new, n_changed;
};

/* What the file asks for. A plain value; import_fini releases it. */
struct import {
    unsigned n_rows;
    struct import_count townships, institutions, cameras;
    struct import_error *errors;
    size_t n_errors; /* all that were found; at most IMPORT_MAX_ERRORS are kept */
    /* rows that are new or changed */
    struct township_row *put_townships;
    size_t n_put_townships;
    struct institution_row *put_institutions;
    size_t n_put_institutions;
    struct camera_row *put_cameras;
    size_t n_put_cameras;
};

/* Never fails: everything wrong is in errors. now_us becomes the creation time of new cameras. */
void import_plan(const void *text, size_t n, const struct district *d, const struct secrets *s,
                 int64_t now_us, struct import *out);
static inline size_t import_kept_errors(const struct import *im)
{
    return MIN(im->n_errors, (size_t)IMPORT_MAX_ERRORS);
}

struct db;
int import_apply(struct db *db, const struct import *im, struct err *err);
void import_fini(struct import *im);

#endif
