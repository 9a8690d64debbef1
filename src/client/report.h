/* client/report: a reconstruction's figures as a file. */
#ifndef GB_CLIENT_REPORT_H
#define GB_CLIENT_REPORT_H

#include "client/internal.h"

/* Indented JSON, written whole or not at all. Errors: IO, SPACE, MEMORY. */
GB_CHECK gb_status gb_report_write(gb_client *c, const gb_report *report, const char *path);

#endif
