// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/status.h>: the one error type of the system.
//
// A function returns a status or a value, never both. Numbers cross the kernel boundary: append
// only, never renumber. errno exists only in interface/posix; the third column is each status'
// default there (the column is a bare word that only interface/posix expands).
#pragma once

#if defined(__clang__)
#define HX_NODISCARD_TYPE __attribute__((warn_unused_result)) // gcc takes it on functions only
#else
#define HX_NODISCARD_TYPE
#endif

// X(name, value, default errno, text), in categories: general, memory and objects, names and files,
// waiting and signals, processes, sockets and devices.
#define HX_STATUS_TABLE(X)                                                                         \
    X(HX_OK, 0, 0, "ok")                                                                           \
    X(HX_ERR_NO_MEMORY, -1, ENOMEM, "out of memory")                                               \
    X(HX_ERR_BAD_HANDLE, -2, EBADF, "not a handle of this process")                                \
    X(HX_ERR_ACCESS_DENIED, -3, EPERM, "a needed right is missing")                                \
    X(HX_ERR_REVOKED, -4, EBADF, "the capability was revoked")                                     \
    X(HX_ERR_PEER_DIED, -5, EIO, "the other side has failed or gone")                              \
    X(HX_ERR_WOULD_BLOCK, -6, EAGAIN, "not ready")                                                 \
    X(HX_ERR_NOT_SUPPORTED, -7, ENOSYS, "not supported")                                           \
    X(HX_ERR_INVALID, -8, EINVAL, "an argument is not valid")                                      \
    X(HX_ERR_BAD_ADDRESS, -9, EFAULT, "not an accessible user address")                            \
    X(HX_ERR_OVERFLOW, -10, EOVERFLOW, "a value does not fit its type")                            \
    X(HX_ERR_RANGE, -11, ERANGE, "a result does not fit the buffer")                               \
    X(HX_ERR_BUSY, -12, EBUSY, "in use")                                                           \
    X(HX_ERR_LIMIT, -13, EAGAIN, "a limit of the account is reached")                              \
    X(HX_ERR_IO, -14, EIO, "the device failed")                                                    \
    X(HX_ERR_BAD_IMAGE, -15, ENOEXEC, "not an image that this system can run")                     \
    X(HX_ERR_TOO_BIG, -16, E2BIG, "too large")                                                     \
    X(HX_ERR_CORRUPT, -17, EIO, "data failed a consistency check")                                 \
    X(HX_ERR_NOT_FOUND, -32, ENOENT, "not found")                                                  \
    X(HX_ERR_EXISTS, -33, EEXIST, "the name exists")                                               \
    X(HX_ERR_NOT_DIRECTORY, -34, ENOTDIR, "not a directory")                                       \
    X(HX_ERR_IS_DIRECTORY, -35, EISDIR, "is a directory")                                          \
    X(HX_ERR_NOT_EMPTY, -36, ENOTEMPTY, "the directory is not empty")                              \
    X(HX_ERR_NAME_TOO_LONG, -37, ENAMETOOLONG, "the name is too long")                             \
    X(HX_ERR_TOO_MANY_LINKS, -38, ELOOP, "too many symbolic links")                                \
    X(HX_ERR_READ_ONLY, -39, EROFS, "the file system is read-only")                                \
    X(HX_ERR_NO_SPACE, -40, ENOSPC, "no space left")                                               \
    X(HX_ERR_CROSS_DEVICE, -41, EXDEV, "the names are on different file systems")                  \
    X(HX_ERR_FILE_TOO_BIG, -42, EFBIG, "the file would be too large")                              \
    X(HX_ERR_NO_DEVICE, -43, ENXIO, "no such device")                                              \
    X(HX_ERR_NOT_TTY, -44, ENOTTY, "the request does not fit the object")                          \
    X(HX_ERR_NOT_SEEKABLE, -45, ESPIPE, "the object has no position")                              \
    X(HX_ERR_PERMISSION, -46, EACCES, "the mode or owner forbids it")                              \
    X(HX_ERR_TABLE_FULL, -47, EMFILE, "the table of open files is full")                           \
    X(HX_ERR_NO_DATA, -48, ENODATA, "no such attribute")                                           \
    X(HX_ERR_NOT_PERMITTED, -49, EPERM, "not permitted")                                           \
    X(HX_ERR_TEXT_BUSY, -50, ETXTBSY, "the file is being executed")                                \
    X(HX_ERR_NO_OPERATION, -51, EOPNOTSUPP, "the object does not have this operation")             \
    X(HX_ERR_NOT_LINK, -52, EINVAL, "not a symbolic link")                                         \
    X(HX_ERR_TIMED_OUT, -64, ETIMEDOUT, "the deadline passed")                                     \
    X(HX_ERR_INTERRUPTED, -65, EINTR, "interrupted by a signal")                                   \
    X(HX_ERR_RESTART, -66, EINTR, "interrupted; restart if the handler allows it")                 \
    X(HX_ERR_CANCELED, -67, ECANCELED, "canceled")                                                 \
    X(HX_ERR_BROKEN_PIPE, -68, EPIPE, "nobody reads")                                              \
    X(HX_ERR_DEADLOCK, -69, EDEADLK, "would deadlock")                                             \
    X(HX_ERR_RESTART_BLOCK, -70, EINTR, "interrupted; restart with the time that is left")         \
    X(HX_ERR_INTERRUPTED_TIMED, -71, EINTR, "interrupted; what is left of the time is lost")       \
    X(HX_ERR_NO_PROCESS, -96, ESRCH, "no such process")                                            \
    X(HX_ERR_NO_CHILD, -97, ECHILD, "no such child")                                               \
    X(HX_ERR_NOT_SOCKET, -128, ENOTSOCK, "not a socket")                                           \
    X(HX_ERR_NOT_CONNECTED, -129, ENOTCONN, "the socket has no peer")                              \
    X(HX_ERR_IS_CONNECTED, -130, EISCONN, "the socket has a peer")                                 \
    X(HX_ERR_REFUSED, -131, ECONNREFUSED, "nobody listens there")                                  \
    X(HX_ERR_RESET, -132, ECONNRESET, "the peer closed without reading all")                       \
    X(HX_ERR_ADDRESS_IN_USE, -133, EADDRINUSE, "somebody has that address")                        \
    X(HX_ERR_WRONG_KIND, -134, EPROTOTYPE, "the socket there is of another kind")                  \
    X(HX_ERR_MESSAGE_TOO_LONG, -135, EMSGSIZE, "the message is too long")                          \
    X(HX_ERR_NO_RECEIVER, -136, EPIPE, "nobody receives")                                          \
    X(HX_ERR_TOO_MANY_PASSED, -137, ETOOMANYREFS, "too many files are on their way")

enum HX_NODISCARD_TYPE hx_status {
#define X(name, value, errno_value, text) name = value,
    HX_STATUS_TABLE(X)
#undef X
};
_Static_assert(sizeof(enum hx_status) == 4, "hx_status crosses the ABI");

// The text with the name behind it, "in use (HX_ERR_BUSY)"; docs/numbers.md lists them. Borrows
// nothing; the result is static. "unknown status" for a number that is not in the table.
const char *hx_status_name(enum hx_status status);

// Says that a status is ignored on purpose; the reason stands in a comment beside the call.
#define HX_IGNORE(expression)                                                                      \
    do {                                                                                           \
        enum hx_status hx_ignored = (expression);                                                  \
        (void)hx_ignored;                                                                          \
    } while (0)
