/* Glovebox: the engine, whole: fully homomorphic encryption for C programs. docs/engine.md explains it; examples/ shows
 * it. Link with pkg-config glovebox. */
#ifndef GLOVEBOX_GLOVEBOX_H
#define GLOVEBOX_GLOVEBOX_H

#include "glovebox/bfv.h"
#include "glovebox/ckks.h"
#include "glovebox/threshold.h"

#endif
