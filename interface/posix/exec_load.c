// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exec_load.c: a whole program, ready to run: address space, stack, credentials.
#include "exec.h"
#include "life.h"
#include "vdso.h"

#include <core/random.h>
#include <lib/string.h>

#define ADDR_NO_RANDOMIZE 0x0040000u // personality(2)

// How far things are moved at most, as on Linux's 64-bit machines.
#define RANDOM_MAP_PAGES   (UINT64_C(1) << 28)
#define RANDOM_STACK_PAGES (UINT64_C(1) << 22)
#define RANDOM_BRK_PAGES   (UINT64_C(1) << 13)
#define GAP_LEAST          (UINT64_C(128) << 20)
#define GAP_MOST           (HAL_USER_LAYOUT_END / 6 * 5)

// Everything random about a program, drawn at once.
struct draw {
    uint8_t program[16]; // AT_RANDOM
    uint64_t map, stack, image, brk;
};

static void draw_random(const struct posix_process *process, struct draw *draw) {
    random_bytes(draw, sizeof(*draw));
    const bool moves = (process->personality_flags & ADDR_NO_RANDOMIZE) == 0;
    draw->map = moves ? draw->map % RANDOM_MAP_PAGES : 0;
    draw->stack = moves ? draw->stack % RANDOM_STACK_PAGES : 0;
    draw->image = moves ? draw->image % RANDOM_MAP_PAGES : 0;
    draw->brk = moves ? draw->brk % RANDOM_BRK_PAGES : 0;
}

// Credentials ------------------------------------------------------------------------------------

static void apply_file_ids(const struct posix_process *process, struct file *file,
                           struct credentials *credentials) {
    struct fs_info info;
    inode_info(file->inode, &info);
    if (process->no_new_privileges || (path_mount_flags(file->path) & MOUNT_NO_SETUID)) {
        return;
    }
    if (info.mode & 04000) {
        credentials->euid = info.uid;
    }
    if ((info.mode & 02010) == 02010) {
        credentials->egid = info.gid;
    }
}

// capabilities(7), "Transformation of capabilities during execve": files have none here, so only
// the administrator's ids give any.
static void apply_capabilities(struct credentials *credentials) {
    if (credentials->uid == 0 || credentials->euid == 0) {
        credentials->permitted = credentials->inheritable | credentials->bounding;
    } else {
        credentials->permitted = 0;
    }
    credentials->effective = credentials->euid == 0 ? credentials->permitted : 0;
}

static enum hx_status make_credentials(struct posix_process *process, struct exec_image *image) {
    struct credentials *old = posix_credentials(process);
    struct credentials *fresh = credentials_copy(old);
    if (fresh == NULL) {
        credentials_put(old);
        return HX_ERR_NO_MEMORY;
    }
    apply_file_ids(process, image->file, fresh);
    fresh->suid = fresh->euid;
    fresh->fsuid = fresh->euid;
    fresh->sgid = fresh->egid;
    fresh->fsgid = fresh->egid;
    apply_capabilities(fresh);
    image->is_secure = fresh->euid != old->uid || fresh->egid != old->gid;
    image->credentials = fresh;
    credentials_put(old);
    return HX_OK;
}

// Loading ----------------------------------------------------------------------------------------

static enum hx_status make_aspace(struct posix_process *process, struct account *account,
                                  const struct draw *draw, struct exec_image *image) {
    const uint64_t stack_limit = posix_limit(process, RLIMIT_STACK);
    const uint64_t limit = posix_limit(process, RLIMIT_AS);
    struct aspace *aspace = aspace_create(account);
    if (aspace == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint64_t gap = MIN_OF(MAX_OF(stack_limit, GAP_LEAST), GAP_MOST);
    aspace->stack_limit_bytes = stack_limit;
    aspace->limit_pages = limit == RLIMIT_INFINITY ? UINT64_MAX : limit / PAGE_SIZE;
    aspace->map_base = HAL_USER_LAYOUT_END - ALIGN_UP(gap, (uint64_t)PAGE_SIZE) -
                       (RANDOM_STACK_PAGES << PAGE_SHIFT) - (draw->map << PAGE_SHIFT);
    image->stack_top = HAL_USER_LAYOUT_END - PAGE_SIZE - (draw->stack << PAGE_SHIFT);
    image->aspace = aspace;
    return HX_OK;
}

static enum hx_status load(struct posix_process *process, const struct exec_request *request,
                           const struct exec_file *file, const struct exec_stack *stack,
                           struct exec_image *image) {
    struct draw draw;
    struct exec_layout layout;
    draw_random(process, &draw);
    enum hx_status status = make_aspace(process, request->account, &draw, image);
    if (status == HX_OK) {
        status = exec_map(image->aspace, request->lookup, file, draw.image, &layout);
    }
    if (status == HX_OK) {
        status = vdso_map(image->aspace, &image->vdso);
    }
    if (status == HX_OK) {
        status = make_credentials(process, image);
    }
    if (status == HX_OK) {
        status = exec_stack_build(stack, request, &layout, draw.program,
                                  posix_limit(process, RLIMIT_STACK), image);
    }
    if (status == HX_OK) {
        image->is_unreadable =
            layout.is_unreadable || exec_is_unreadable(request->lookup, file->file);
        image->entry = layout.start;
        image->brk_start = layout.end + (draw.brk << PAGE_SHIFT);
    }
    return status;
}

enum hx_status exec_load(struct posix_process *process, const struct exec_request *request,
                         struct exec_image *out_image) {
    struct exec_file file;
    struct exec_stack stack;
    struct exec_image image = { 0 };
    enum hx_status status = exec_file_open(request, &file);
    if (status != HX_OK) {
        return status;
    }
    status = exec_stack_collect(&stack, request, &file, posix_limit(process, RLIMIT_STACK));
    if (status == HX_OK) {
        image.file = file.file;
        status = load(process, request, &file, &stack, &image);
    }
    exec_stack_fini(&stack);
    if (status == HX_OK) {
        file.file = NULL; // the image's now
        const char *slash = strrchr(request->name, '/');
        string_copy(image.command, sizeof(image.command),
                    slash != NULL ? slash + 1 : request->name);
        *out_image = image;
    } else {
        image.file = NULL;
        exec_image_put(&image);
    }
    exec_file_close(&file);
    return status;
}

void exec_image_put(struct exec_image *image) {
    if (image->aspace != NULL) {
        aspace_put(image->aspace);
    }
    if (image->credentials != NULL) {
        credentials_put(image->credentials);
    }
    executable_put(image->file);
}

void exec_adopt(struct posix_process *process, struct exec_image *image) {
    mutex_lock(&process->process->lock);
    struct file *old = process->executable;
    process->executable = image->file;
    process->brk_start = image->brk_start;
    process->brk_end = image->brk_start;
    process->arguments_start = image->arguments_start;
    process->arguments_end = image->arguments_end;
    process->environment_start = image->environment_start;
    process->environment_end = image->environment_end;
    process->stack_top = image->stack_top;
    memcpy(process->command, image->command, sizeof(process->command));
    process->dumpable = !image->is_secure && !image->is_unreadable;
    process->unknown_call_logged = false;
    mutex_unlock(&process->process->lock);
    image->file = old;
    posix_credentials_set(process, image->credentials, NULL);
}
