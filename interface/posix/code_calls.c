// SPDX-License-Identifier: MIT OR Apache-2.0
// code_calls.c: calls of machines where programs cannot make what they wrote fit to be fetched.
#include <hal/user_abi.h>
#include <posix/call.h>

#define FLUSH_LOCAL 1u // SYS_RISCV_FLUSH_ICACHE_LOCAL: for the caller alone

// Linux 6.1, arch/riscv/kernel/sys_riscv.c: the range is not looked at.
enum hx_status sys_riscv_flush_icache(struct call *call) {
    if (call->args[2] & ~(uint64_t)FLUSH_LOCAL) {
        return HX_ERR_INVALID;
    }
    hal_code_publish();
    return HX_OK;
}
