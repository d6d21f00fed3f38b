/* The townships and institutions that a spreadsheet names: each as it stands in the catalogue,
 * overlaid by the file, whose lines may repeat it but not contradict each other.
 * Thread: belongs to its import. Lifetime: not longer than import and district. */
#ifndef SERVER_IMPORT_INSTITUTIONS_H
#define SERVER_IMPORT_INSTITUTIONS_H

#include "server/import_sheet.h"

struct import_institutions;

struct import_institutions *import_institutions_create(struct import *im, const struct district *d);

/* Takes what the line says of its institution; false with a complaint. New townships become rows of
 * the import. */
bool import_institutions_read(struct import_institutions *list, const struct import_sheet *sheet,
                              const struct csv_record *r);

/* Institutions that are new or changed become rows of the import. */
void import_institutions_finish(struct import_institutions **list);

#endif
