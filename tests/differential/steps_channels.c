// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps of pipes and sockets.
#include "program.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#define MOST_RECEIVED 32768

static void step_pipe(struct generator *random) {
    int ends[2] = { -1, -1 };
    const int flags = O_NONBLOCK | (one_in(random, 4) ? O_CLOEXEC : 0) |
                      (one_in(random, 6) ? O_DIRECT : 0) | (one_in(random, 20) ? O_APPEND : 0);
    say("pipe2");
    say_flags((unsigned)flags);
    if (RESULT(pipe2(ends, flags)) == 0) {
        say("  ends %d %d\n", ends[0], ends[1]);
        descriptor_is(ends[0], KIND_PIPE);
        descriptor_is(ends[1], KIND_PIPE);
    }
}

static void step_pipe_size(struct generator *random) {
    static const int sizes[] = { 0, 1, 4096, 5000, 8192, 65536, 1048576, 1048577, 2097152, -1 };
    const int end = descriptor_of(random, KIND_PIPE);
    const int size = ELEMENT(random, sizes);
    if (one_in(random, 2)) {
        say("F_GETPIPE_SZ %d", end);
        RESULT(fcntl(end, F_GETPIPE_SZ));
        return;
    }
    say("F_SETPIPE_SZ %d %d", end, size);
    RESULT(fcntl(end, F_SETPIPE_SZ, size));
}

static void step_splice(struct generator *random) {
    const int from = descriptor_of(random, KIND_DATA);
    const int to = descriptor_of(random, KIND_DATA);
    loff_t in = offset_of(random);
    loff_t out = offset_of(random);
    const int has_in = one_in(random, 4);
    const int has_out = one_in(random, 4);
    const size_t length = length_of(random);
    const unsigned flags = 2 | (one_in(random, 4) ? 1u << below(random, 5) : 0);
    say("splice %d %ld %d %ld %zu %x", from, has_in ? (long)in : -9l, to, has_out ? (long)out : -9l,
        length, flags);
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;
    getsockopt(from, SOL_SOCKET, SO_TYPE, &type, &size);
    if (!WITH_SPLICED_DATAGRAMS && type != SOCK_STREAM) {
        say(" left out: of datagrams\n");
        return;
    }
    errno = 0;
    const long result = splice(from, has_in ? &in : NULL, to, has_out ? &out : NULL, length, flags);
    const int error = errno;
    say(" to %ld %ld", (long)in, (long)out);
    say_result(result, error);
}

static void step_tee(struct generator *random) {
    const int from = descriptor_of(random, KIND_PIPE);
    const int to = descriptor_of(random, KIND_PIPE);
    const size_t length = length_of(random);
    say("tee %d %d %zu", from, to, length);
    RESULT(tee(from, to, length, 2));
}

static void step_vmsplice(struct generator *random) {
    const int end = WITH_VMSPLICE ? descriptor_of(random, KIND_PIPE) : -1;
    const size_t length = length_of(random);
    static char pages[32768] __attribute__((aligned(4096)));
    struct iovec piece = { pages, length };
    memset(pages, 'v', sizeof pages);
    say("vmsplice %d %zu", end, length);
    RESULT(vmsplice(end, &piece, 1, 2));
}

static const struct step pipes_steps[] = {
    STEP(pipe), STEP(pipe), STEP(pipe_size), STEP(splice), STEP(splice), STEP(tee), STEP(vmsplice),
};
FAMILY(pipes);

static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_DGRAM, SOCK_SEQPACKET };

static int type_of(struct generator *random) {
    return one_in(random, 30) ? SOCK_RAW + 3 : ELEMENT(random, types);
}

static void step_socket(struct generator *random) {
    const int type = type_of(random);
    const int protocol = one_in(random, 20) ? (int)below(random, 3) : 0;
    say("socket %d %d", type, protocol);
    descriptor_note((int)RESULT(socket(AF_UNIX, type | SOCK_NONBLOCK, protocol)));
}

static void step_socketpair(struct generator *random) {
    int ends[2] = { -1, -1 };
    const int type = type_of(random);
    say("socketpair %d", type);
    if (RESULT(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends)) == 0) {
        say("  ends %d %d\n", ends[0], ends[1]);
        descriptor_note(ends[0]);
        descriptor_note(ends[1]);
    }
}

// A path, an abstract name, or what is no address.
static socklen_t address_of(struct generator *random, struct sockaddr_un *address) {
    static const char *const names[] = { "a", "b", "c", "a/b", "c/a" };
    const char *name = ELEMENT(random, names);
    memset(address, 0, sizeof *address);
    address->sun_family = one_in(random, 30) ? 77 : AF_UNIX;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
    const int is_abstract = one_in(random, 3);
    snprintf(address->sun_path + is_abstract, sizeof address->sun_path - 1, "%s", name);
    if (one_in(random, 20)) {
        length = below(random, 6);
    }
    say(" %s%s(%u)%s", is_abstract ? "@" : "", name, length, address->sun_family == 77 ? "!" : "");
    return length;
}

static void say_address(const struct sockaddr_un *address, socklen_t length) {
    if (length <= offsetof(struct sockaddr_un, sun_path)) {
        say(" nameless(%u)", length);
    } else if (address->sun_path[0] == '\0') {
        say(" @%.*s(%u)", (int)(length - 3), address->sun_path + 1, length);
    } else {
        say(" %s(%u)", address->sun_path, length);
    }
}

static void step_bind(struct generator *random) {
    struct sockaddr_un address;
    const int end = descriptor_of(random, KIND_SOCKET);
    say("bind %d", end);
    const socklen_t length = address_of(random, &address);
    if (length == sizeof(sa_family_t)) {
        say(" left out: autobind's name is chance\n");
        return;
    }
    struct sockaddr_un bound;
    socklen_t bound_length = sizeof bound;
    if (!WITH_BIND_TWICE && getsockname(end, (struct sockaddr *)&bound, &bound_length) == 0 &&
        bound_length > sizeof(sa_family_t)) {
        say(" left out: it has a name\n");
        return;
    }
    RESULT(bind(end, (struct sockaddr *)&address, length));
}

static void step_listen(struct generator *random) {
    const int end = descriptor_of(random, KIND_SOCKET);
    const int most = (int)below(random, 3);
    say("listen %d %d", end, most);
    RESULT(listen(end, most));
}

static void step_connect(struct generator *random) {
    struct sockaddr_un address;
    const int end = descriptor_of(random, KIND_SOCKET);
    say("connect %d", end);
    const socklen_t length = address_of(random, &address);
    RESULT(connect(end, (struct sockaddr *)&address, length));
}

static void step_accept(struct generator *random) {
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    const int end = descriptor_of(random, KIND_SOCKET);
    memset(&address, 0, sizeof address);
    say("accept4 %d", end);
    errno = 0;
    const int made = accept4(end, (struct sockaddr *)&address, &length, SOCK_NONBLOCK);
    const int error = errno;
    if (made >= 0) {
        say_address(&address, length);
    }
    say_result(made, error);
    descriptor_note(made);
}

// A listener, who connects to it, and what is accepted.
static void step_connected(struct generator *random) {
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "" };
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "l-%s", name_of(random));
    const socklen_t length = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 4;
    const int type = one_in(random, 2) ? SOCK_STREAM : SOCK_SEQPACKET;
    const int listener = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    say("connected %d %s listener %d bind %d", type, address.sun_path + 1, listener,
        bind(listener, (struct sockaddr *)&address, length));
    say(" listen %d", listen(listener, 1));
    const int client = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    say(" client %d connect", client);
    RESULT(connect(client, (struct sockaddr *)&address, length));
    descriptor_note(listener);
    descriptor_note(client);
    if (one_in(random, 2)) {
        say("  accept");
        descriptor_note((int)RESULT(accept4(listener, NULL, NULL, SOCK_NONBLOCK)));
    }
}

static void step_names_of(struct generator *random) {
    struct sockaddr_un address;
    socklen_t length = one_in(random, 6) ? below(random, 8) : (socklen_t)sizeof address;
    const socklen_t room = length;
    const int end = descriptor_of(random, KIND_SOCKET);
    const int is_peer = one_in(random, 2);
    memset(&address, 0, sizeof address);
    say("%s %d %u", is_peer ? "getpeername" : "getsockname", end, room);
    errno = 0;
    const int result = is_peer ? getpeername(end, (struct sockaddr *)&address, &length)
                               : getsockname(end, (struct sockaddr *)&address, &length);
    const int error = errno;
    if (result == 0 && length <= room) {
        say_address(&address, length);
    } else if (result == 0) {
        say(" (%u)", length);
    }
    say_result(result, error);
}

static const unsigned message_flags[] = { MSG_PEEK, MSG_TRUNC,   MSG_OOB *WITH_OUT_OF_BAND,
                                          MSG_EOR,  MSG_WAITALL, MSG_ERRQUEUE };

static void step_send(struct generator *random) {
    const int end = descriptor_of(random, KIND_SOCKET);
    const size_t length = length_of(random);
    const int flags =
        MSG_DONTWAIT | MSG_NOSIGNAL | (int)(one_in(random, 4) ? SOME_OF(random, message_flags) : 0);
    struct sockaddr_un address;
    say("sendto %d %zu %x", end, length, flags);
    const socklen_t size = one_in(random, 3) ? address_of(random, &address) : 0;
    RESULT(sendto(end, data_of(random, length), length, flags,
                  size != 0 ? (struct sockaddr *)&address : NULL, size));
}

static void step_receive(struct generator *random) {
    static char data[MOST_RECEIVED];
    struct sockaddr_un address;
    socklen_t size = sizeof address;
    const int end = descriptor_of(random, KIND_SOCKET);
    const size_t length = length_of(random);
    const int flags = MSG_DONTWAIT | (int)(one_in(random, 2) ? SOME_OF(random, message_flags) : 0);
    memset(&address, 0, sizeof address);
    say("recvfrom %d %zu %x", end, length, flags);
    errno = 0;
    const long result = recvfrom(end, data, length, flags, (struct sockaddr *)&address, &size);
    const int error = errno;
    if (result >= 0) {
        say_bytes(data, (size_t)result < length ? (size_t)result : length);
        say_address(&address, size);
    }
    say_result(result, error);
}

static void step_send_descriptors(struct generator *random) {
    const int end = descriptor_of(random, KIND_SOCKET);
    const int count = 1 + (int)below(random, 3);
    const size_t length = below(random, 4);
    char room[CMSG_SPACE(sizeof(int) * 3)];
    struct iovec piece = { (void *)data_of(random, length), length };
    memset(room, 0, sizeof room);
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = room,
                              .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    say("sendmsg %d %zu with", end, length);
    for (int i = 0; i < count; i++) {
        const int one = descriptor_of(random, KIND_ANY);
        memcpy(CMSG_DATA(header) + sizeof one * (size_t)i, &one, sizeof one);
        say(" %d", one);
    }
    RESULT(sendmsg(end, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void say_control(struct msghdr *message) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        say(" [level %d type %d", header->cmsg_level, header->cmsg_type);
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; header->cmsg_type == SCM_RIGHTS && i < count; i++) {
            int one;
            memcpy(&one, CMSG_DATA(header) + sizeof one * i, sizeof one);
            say(" %d", one);
            descriptor_note(one);
        }
        say("]");
    }
}

static void step_receive_descriptors(struct generator *random) {
    static char data[MOST_RECEIVED];
    char room[200];
    const int end = descriptor_of(random, KIND_SOCKET);
    const size_t length = length_of(random);
    struct iovec piece = { data, length };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = room,
                              .msg_controllen =
                                  one_in(random, 4) ? below(random, 40) : sizeof room };
    const int flags = MSG_DONTWAIT | (one_in(random, 3) ? MSG_PEEK : 0) |
                      (one_in(random, 4) ? MSG_CMSG_CLOEXEC : 0);
    say("recvmsg %d %zu room %zu %x", end, length, (size_t)message.msg_controllen, flags);
    errno = 0;
    const long result = recvmsg(end, &message, flags);
    const int error = errno;
    if (result >= 0) {
        say_bytes(data, (size_t)result < length ? (size_t)result : length);
        say(" flags %x control %zu", message.msg_flags, (size_t)message.msg_controllen);
        say_control(&message);
    }
    say_result(result, error);
}

static void step_shutdown(struct generator *random) {
    const int end = descriptor_of(random, KIND_SOCKET);
    const int way = (int)below(random, 4);
    say("shutdown %d %d", end, way);
    RESULT(shutdown(end, way));
}

static void step_option(struct generator *random) {
    static const int options[] = { SO_TYPE,       SO_ERROR,
                                   SO_ACCEPTCONN, SO_DOMAIN,
                                   SO_PROTOCOL,   SO_PASSCRED,
                                   SO_SNDBUF,     SO_RCVBUF,
                                   SO_PEERCRED,   WITH_PEEK_OFF ? SO_PEEK_OFF : SO_TYPE,
                                   SO_REUSEADDR,  SO_KEEPALIVE,
                                   SO_LINGER };
    const int end = descriptor_of(random, KIND_SOCKET);
    const int option = ELEMENT(random, options);
    int values[4] = { one_in(random, 2), 0, 0, 0 };
    socklen_t length = one_in(random, 8) ? below(random, 6) : (socklen_t)sizeof values;
    if (one_in(random, 3)) {
        length = one_in(random, 8) ? below(random, 6) : (socklen_t)sizeof(int);
        say("setsockopt %d %d %d(%u)", end, option, values[0], length);
        RESULT(setsockopt(end, SOL_SOCKET, option, values, length));
        return;
    }
    memset(values, 0, sizeof values);
    say("getsockopt %d %d (%u)", end, option, length);
    errno = 0;
    const int result = getsockopt(end, SOL_SOCKET, option, values, &length);
    const int error = errno;
    if (result == 0) {
        say(" %d(%u)", option == SO_PEERCRED ? -(values[0] != 0) : values[0], length);
    }
    say_result(result, error);
}

static const struct step sockets_steps[] = {
    STEP(socket),
    STEP(socketpair),
    STEP(socketpair),
    STEP(bind),
    STEP(bind),
    STEP(listen),
    STEP(connect),
    STEP(accept),
    STEP(connected),
    STEP(names_of),
    STEP(send),
    STEP(send),
    STEP(receive),
    STEP(receive),
    STEP(send_descriptors),
    STEP(receive_descriptors),
    STEP(shutdown),
    STEP(option),
    STEP(receive_descriptors),
};
FAMILY(sockets);
