// SPDX-License-Identifier: MIT OR Apache-2.0
// Every system call with bad pointers in every place: an errno or a signal, and the kernel lives.
// Numbers that would block, end or unhinge the machine or this program by their meaning are left
// out.
#include "check.h"

#include <sys/resource.h>

static const uintptr_t bad[] = { 0,
                                 8,
                                 0x1000,
                                 0x00007ffffffff000,
                                 0x00007fffffffffff,
                                 0x0000800000000000,
                                 0x1000000000000000,
                                 0xffff800000000000,
                                 0xffff888000000000,
                                 0xffffffff80000000,
                                 0xfffffffffffff000,
                                 0xffffffffffffffff };

static bool left_out(int number) {
    static const int numbers[] = {
#ifdef SYS_fork
        SYS_pause,        SYS_vfork,           SYS_fork,   SYS_alarm,
#endif
        SYS_rt_sigreturn, SYS_rt_sigsuspend,   SYS_exit,   SYS_exit_group,     SYS_kill,
        SYS_tkill,        SYS_tgkill,          SYS_clone,  SYS_reboot,         SYS_sync,
        SYS_vhangup,      SYS_rt_sigqueueinfo, SYS_munmap, SYS_rt_sigprocmask, 435 /* clone3 */
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static void one_number(int number) {
    struct rlimit limit = { 64 << 20, 64 << 20 };
    setrlimit(RLIMIT_AS, &limit);
    setuid(1000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uintptr_t value = bad[i];
        syscall(number, value, value, value, value, value, value);
        syscall(number, 0, value, 1, value, 0, 0);
        syscall(number, 0, value, 4096, value, value, value);
        syscall(number, value, 1, value, 8, value, 8);
        syscall(number, AT_FDCWD, value, value, 0, value, 8);
    }
}

static void all_calls(void) {
    int null = open("/dev/null", O_RDWR);
    for (int number = 0; number < 460; number++) {
        if (left_out(number)) {
            continue;
        }
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            for (int fd = 0; fd < 3; fd++) {
                dup2(null, fd);
            }
            signal(SIGALRM, SIG_DFL);
            alarm(1); // a call that waits is fine
            one_number(number);
            _exit(0);
        }
        check_wait(pid);
    }
}

static void kernel_is_well(void) {
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "true", NULL);
        _exit(1);
    }
    EXITS(pid, 0);
}

int main(void) {
    all_calls();
    kernel_is_well();
    return check_failures != 0;
}
