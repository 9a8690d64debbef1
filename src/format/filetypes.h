/* One declaration per format; defined in the format's own folder, listed in format.c. Private to format. */
#ifndef GB_FORMAT_FILETYPES_H
#define GB_FORMAT_FILETYPES_H

#include "format/format.h"

extern const gb_filetype gb_filetype_mrc;
extern const gb_filetype gb_filetype_mdoc;
extern const gb_filetype gb_filetype_tlt;

#endif
