// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/process.c: children without fork.
#include <libhelix/process.h>

#include <libhelix/wait.h>
#include <sys/wait.h>

extern char **environ;

static enum hx_status spawn(struct hx_spawn *spawn, const char *path, const char *const arguments[],
                            const int32_t *descriptors, uint32_t descriptors_count,
                            handle_t *out_process) {
    enum hx_status status;
    spawn->path = (uintptr_t)path;
    spawn->arguments = (uintptr_t)arguments;
    spawn->environment = (uintptr_t)environ;
    do {
        status = hx_process_spawn(spawn, descriptors, descriptors_count, out_process);
    } while (status == HX_ERR_INTERRUPTED);
    return status;
}

enum hx_status hx_spawn_into(handle_t account, const char *path, const char *const arguments[],
                             const int32_t *descriptors, uint32_t descriptors_count, handle_t given,
                             handle_t *out_process) {
    struct hx_spawn request = { .given = given, .account = account };
    return spawn(&request, path, arguments, descriptors, descriptors_count, out_process);
}

enum hx_status hx_spawn_file(handle_t file, const char *name, const char *const arguments[],
                             const int32_t *descriptors, uint32_t descriptors_count, handle_t given,
                             handle_t *out_process) {
    struct hx_spawn request = { .given = given, .file = file };
    return spawn(&request, name, arguments, descriptors, descriptors_count, out_process);
}

enum hx_status hx_spawn(const char *path, const char *const arguments[], const int32_t *descriptors,
                        uint32_t descriptors_count, handle_t given, handle_t *out_process) {
    return hx_spawn_into(0, path, arguments, descriptors, descriptors_count, given, out_process);
}

enum hx_status hx_process_wait(handle_t process, time_ns_t deadline, int32_t *out_status) {
    struct hx_process_info info;
    uint32_t state;
    enum hx_status status = hx_wait_one(process, HX_STATE_CLOSED, deadline, &state);
    if (status == HX_OK) {
        status = hx_process_info(process, &info);
    }
    if (status == HX_OK) {
        waitpid((pid_t)info.pid, NULL, WNOHANG); // nobody else's child is taken
        HX_IGNORE(hx_handle_close(process));     // it was good just now
        *out_status = (int32_t)info.status;
    }
    return status;
}
