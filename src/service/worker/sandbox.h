/* service/worker/sandbox: takes away what a worker does not need, before it reads a byte that others made. */
#ifndef GB_SANDBOX_H
#define GB_SANDBOX_H

#include "base/base.h"

/* For the process and all threads it will make: no new privileges; files only under dir, read-only, and read-write in
 * dir/out (Landlock, where the kernel has it); only the system calls that computing on files needs (seccomp): no
 * sockets, no processes, no exec, no ptrace; no core dumps, at most `memory` bytes of private memory and 256 files;
 * dies with its parent. Must be called before the first thread is made. Errors: UNSUPPORTED (no seccomp), IO. Without
 * seccomp nothing is run; without Landlock the mode bits of the folder are what is left: *landlock says. */
GB_CHECK gb_status gb_sandbox_enter(bool *landlock, gb_ctx *ctx, const char *dir, uint64_t memory);

#endif
