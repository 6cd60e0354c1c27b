// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/vdso.h: the shared object with the clocks (user/vdso) in each program.
#pragma once

#include <memory/aspace.h>

// Makes the object that all programs map, and moves the clocks into its first page. Boot context.
// HX_OK, also if the machine has none; HX_ERR_NO_MEMORY.
enum hx_status vdso_init(void);
// Maps it into a new address space, at random. *out_address is its ELF header's; 0: there is none.
// HX_OK, HX_ERR_NO_MEMORY.
enum hx_status vdso_map(struct aspace *aspace, uint64_t *out_address);
