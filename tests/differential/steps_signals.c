// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps of signals: to the program itself, handled, blocked, waited for, read.
#include "program.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

static const int signals[] = {
    SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD, SIGURG, 36, 37, SIGTERM, SIGPIPE
};

// What a handler sees. It runs inside some call of a step, whose line it goes into.
static void handler(int number, siginfo_t *about, void *context) {
    (void)context;
    say(" <%d code %d value %d>", number, about->si_code,
        about->si_code == SI_QUEUE ? about->si_value.sival_int : 0);
}

static sigset_t set_of(struct generator *random) {
    sigset_t set;
    sigemptyset(&set);
    while (!one_in(random, 3)) {
        sigaddset(&set, ELEMENT(random, signals));
    }
    return set;
}

static void say_set(const sigset_t *set) {
    say(" {");
    for (int number = 1; number < 65; number++) {
        if (sigismember(set, number) == 1) {
            say(" %d", number);
        }
    }
    say(" }");
}

static void step_action(struct generator *random) {
    static const unsigned bits[] = { SA_NODEFER, SA_RESETHAND, SA_RESTART,
                                     SA_ONSTACK, SA_NOCLDWAIT, SA_NOCLDSTOP };
    const int number = one_in(random, 20) ? SIGKILL : ELEMENT(random, signals);
    const unsigned way = below(random, 5);
    struct sigaction action = { .sa_flags = (int)(SOME_OF(random, bits) | SA_SIGINFO),
                                .sa_mask = set_of(random) };
    struct sigaction old = { 0 };
    if (way == 0 && number != SIGTERM && number != SIGHUP) {
        action.sa_handler = SIG_DFL;
    } else if (way == 1) {
        action.sa_handler = SIG_IGN;
    } else {
        action.sa_sigaction = handler;
    }
    say("sigaction %d way %u %x", number, way, (unsigned)action.sa_flags);
    errno = 0;
    const int result = sigaction(number, &action, &old);
    const int error = errno;
    say(" before %s %x",
        old.sa_handler == SIG_DFL   ? "default"
        : old.sa_handler == SIG_IGN ? "ignored"
                                    : "handled",
        (unsigned)old.sa_flags & 0xd8000007u);
    say_set(&old.sa_mask);
    say_result(result, error);
}

static void step_mask(struct generator *random) {
    const int how = (int)below(random, 4);
    const sigset_t set = set_of(random);
    sigset_t old;
    sigemptyset(&old);
    say("sigprocmask %d", how);
    say_set(&set);
    errno = 0;
    const int result = sigprocmask(how, &set, &old);
    const int error = errno;
    say(" before");
    say_set(&old);
    say_result(result, error);
}

static void step_send(struct generator *random) {
    const int number = one_in(random, 16) ? 0 : one_in(random, 20) ? 65 : ELEMENT(random, signals);
    struct sigaction action;
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    // One that would end the program is not sent.
    if (number > 0 && number < 65 &&
        (sigaction(number, NULL, &action) != 0 ||
         (action.sa_handler == SIG_DFL && number != SIGCHLD && number != SIGURG))) {
        return;
    }
    switch (below(random, 4)) {
    case 0:
        say("kill %d", number);
        RESULT(kill(getpid(), number));
        break;
    case 1:
        say("tgkill %d", number);
        RESULT(syscall(SYS_tgkill, getpid(), gettid(), number));
        break;
    case 2:
        say("sigqueue %d", number);
        RESULT(sigqueue(getpid(), number, (union sigval){ .sival_int = (int)below(random, 100) }));
        break;
    default:
        say("killpg of nobody %d", number);
        RESULT(kill(-99999, number));
        break;
    }
}

static void step_pending(struct generator *random) {
    (void)random;
    sigset_t set;
    sigemptyset(&set);
    say("sigpending");
    const int result = sigpending(&set);
    say_set(&set);
    say_result(result, errno);
}

static void step_take(struct generator *random) {
    const sigset_t set = set_of(random);
    const struct timespec none = { 0, one_in(random, 12) ? -1 : 0 };
    siginfo_t about = { 0 };
    say("sigtimedwait");
    say_set(&set);
    errno = 0;
    const int result = sigtimedwait(&set, &about, &none);
    const int error = errno;
    if (result > 0) {
        say(" code %d value %d", about.si_code,
            about.si_code == SI_QUEUE ? about.si_value.sival_int : 0);
    }
    say_result(result, error);
}

static void step_signalfd(struct generator *random) {
    const sigset_t set = set_of(random);
    const int file = one_in(random, 3) ? descriptor_of(random, KIND_SIGNAL) : -1;
    say("signalfd %d", file);
    say_set(&set);
    const int made = (int)RESULT(signalfd(file, &set, SFD_NONBLOCK));
    if (file < 0) {
        descriptor_is(made, KIND_SIGNAL);
    }
}

static void step_signalfd_read(struct generator *random) {
    const int file = descriptor_of(random, KIND_SIGNAL);
    struct signalfd_siginfo records[3];
    const size_t length = one_in(random, 4) ? 100 : sizeof records;
    say("read %d %zu", file, length);
    errno = 0;
    const long result = read(file, records, length);
    const int error = errno;
    for (long i = 0; i < result / (long)sizeof records[0] && i < 3; i++) {
        say(" [%u code %d value %d]", records[i].ssi_signo, records[i].ssi_code,
            records[i].ssi_int);
    }
    say_result(result, error);
}

static void step_altstack(struct generator *random) {
    static char stack[65536];
    const size_t size = one_in(random, 4) ? 100 : sizeof stack;
    const int flags = one_in(random, 3) ? (int)below(random, 5) : 0;
    const stack_t fresh = { .ss_sp = stack, .ss_flags = flags, .ss_size = size };
    stack_t old = { 0 };
    say("sigaltstack %d %zu", flags, size);
    errno = 0;
    const int result = sigaltstack(&fresh, &old);
    const int error = errno;
    say(" before %d %zu", old.ss_flags, old.ss_size);
    say_result(result, error);
}

static const struct step signals_steps[] = {
    STEP(action),   STEP(action),        STEP(mask),     STEP(mask), STEP(send),
    STEP(send),     STEP(send),          STEP(pending),  STEP(take), STEP(take),
    STEP(signalfd), STEP(signalfd_read), STEP(altstack),
};
FAMILY(signals);
