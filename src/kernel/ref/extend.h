#ifndef GB_REF_EXTEND_H
#define GB_REF_EXTEND_H

#include "kernel/extend.h"

extern const gb_extend_kernels gb_extend_ref;
extern const gb_extend_kernels gb_extend_avx2;
extern const gb_extend_kernels gb_extend_ifma;

#endif
