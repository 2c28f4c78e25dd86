/* dbn.h - all of DBN except the records themselves (tapedeck/dbn.h) and writing (dbn_write.h). */
#ifndef TDK_FORMATS_DBN_H
#define TDK_FORMATS_DBN_H

#include "formats/dbn_layout.h"
#include "formats/dbn_metadata.h"
#include "formats/dbn_names.h"
#include "formats/dbn_symbols.h"

#endif
