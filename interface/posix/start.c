// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/start.c: the personality's module, and process 1.
//
// What Linux does with an initramfs and the command line (init/main.c, init/initramfs.c): the
// archive becomes the root; /init, or what rdinit= names, is started from it; without one, init= or
// the usual four names. All unknown words are process 1's.
#include "descriptor.h"
#include "exec.h"
#include "futex.h"
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"
#include "uts.h"
#include "vdso.h"

#include <core/log.h>
#include <core/trace.h>
#include <helix/module.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <net/socket.h>
#include <runtime/boot.h>
#include <runtime/modules.h>
#include <tty/tty.h>

#define STACK_LIMIT   (UINT64_C(8) << 20)
#define MEMLOCK_LIMIT (UINT64_C(8) << 20)
#define NOFILE_SOFT   1024u
#define NOFILE_HARD   4096u

static struct thread starter; // starts process 1, then kills when memory runs out
static struct mount_space *mounts;
static struct fs_context *root_context;

// The root ---------------------------------------------------------------------------------------

static void make_node(const struct lookup *lookup, const char *path, uint32_t mode,
                      uint64_t device) {
    // What an archive brings itself is there already.
    HX_IGNORE(vfs_create(lookup, path, mode, device, NULL));
}

// What Linux's own built-in archive holds.
static void make_skeleton(void) {
    const struct lookup lookup = { .context = root_context };
    make_node(&lookup, "/dev", FS_MODE_DIRECTORY | 0755, 0);
    make_node(&lookup, "/dev/console", FS_MODE_CHAR | 0600, (UINT64_C(5) << 32) | 1);
    make_node(&lookup, "/root", FS_MODE_DIRECTORY | 0700, 0);
}

static void unpack_archive(struct path root) {
    const struct kernel_boot *boot = kernel_boot();
    const char *reason = "";
    if (boot->initrd == NULL) {
        return;
    }
    const enum hx_status status = initramfs_unpack(boot->initrd, boot->initrd_bytes, root, &reason);
    if (status != HX_OK) {
        log_error("initramfs: %s: %s; what came before it is there", hx_status_name(status),
                  reason);
    }
    kernel_boot_release_initrd();
}

static void make_root(void) {
    struct path root;
    mounts = mount_space_create(&root);
    root_context = mounts != NULL ? fs_context_create(root) : NULL;
    if (root_context == NULL) {
        panic("no memory for the root file system");
    }
    make_skeleton();
    unpack_archive(root);
    vfs_limit_growth(root);
    path_put(root);
}

// Process 1 --------------------------------------------------------------------------------------

static void set_limit(struct posix_process *process, uint32_t which, uint64_t soft, uint64_t hard) {
    atomic_init(&process->limits[which].soft, soft);
    atomic_init(&process->limits[which].hard, hard);
}

// As Linux gives them to process 1.
static void set_limits(struct posix_process *process) {
    const uint64_t threads = pid_space_initial.threads_max / 2;
    for (uint32_t which = 0; which < RLIMIT_COUNT; which++) {
        set_limit(process, which, RLIMIT_INFINITY, RLIMIT_INFINITY);
    }
    set_limit(process, RLIMIT_STACK, STACK_LIMIT, RLIMIT_INFINITY);
    set_limit(process, RLIMIT_CORE, 0, RLIMIT_INFINITY);
    set_limit(process, RLIMIT_NPROC, threads, threads);
    set_limit(process, RLIMIT_NOFILE, NOFILE_SOFT, NOFILE_HARD);
    set_limit(process, RLIMIT_MEMLOCK, MEMLOCK_LIMIT, MEMLOCK_LIMIT);
    set_limit(process, RLIMIT_SIGPENDING, threads, threads);
    set_limit(process, RLIMIT_MSGQUEUE, 819200, 819200);
    set_limit(process, RLIMIT_NICE, 0, 0);
    set_limit(process, RLIMIT_RTPRIO, 0, 0);
}

static struct uts_names uts;

static struct name_spaces *make_name_spaces(void) {
    uts_init(&uts);
    struct socket_names *sockets = socket_names_create();
    return sockets != NULL ? name_spaces_create(mounts, &uts, &pid_space_initial, sockets) : NULL;
}

// A process with everything but a program.
static struct posix_process *make_process(void) {
    struct name_spaces *ns = make_name_spaces();
    struct aspace *aspace = aspace_create(&account_root);
    struct posix_process *process;
    if (ns == NULL || aspace == NULL ||
        posix_process_create(aspace, &account_root, ns, &process) != HX_OK) {
        panic("no memory for process 1");
    }
    aspace_put(aspace);
    object_put(&ns->object);
    process->credentials = credentials_create_root();
    process->user = posix_user_get(0);
    process->actions = posix_actions_create(NULL);
    process->files = file_table_create();
    process->fs = root_context;
    process->exit_signal = SIGCHLD;
    if (process->credentials == NULL || process->user == NULL || process->actions == NULL ||
        process->files == NULL || pid_allocate(&pid_space_initial, &process->pid) != HX_OK) {
        panic("no memory for process 1");
    }
    set_limits(process);
    return process;
}

static void link_process(struct posix_process *process) {
    struct pid_space *space = &pid_space_initial;
    mutex_lock(&space->tree_lock);
    // Session and group 0, which nobody else is in: as on Linux, setsid() may follow.
    struct posix_session *session = posix_session_create(space, 0);
    struct posix_group *group = session != NULL ? posix_group_create(session, 0) : NULL;
    if (group == NULL) {
        panic("no memory for process 1");
    }
    object_put(&session->object);
    tree_link(space, process, NULL, group);
    object_put(&group->object);
    mutex_unlock(&space->tree_lock);
}

// Its thread, which starts with the image's registers.
static struct user_thread *make_thread(struct posix_process *process,
                                       const struct exec_image *image) {
    struct posix_thread *thread = posix_thread_create(process);
    struct user_thread *native;
    struct hal_frame frame;
    hal_frame_init_user(&frame, image->entry, image->stack_pointer);
    if (thread == NULL || user_thread_create(process->process, image->command, &posix_thread_ops,
                                             &frame, NULL, NULL, thread, &native) != HX_OK) {
        panic("no memory for process 1");
    }
    thread->tid = process->pid;
    posix_thread_bind(thread, native);
    pid_set_thread(&pid_space_initial, thread->tid, thread);
    atomic_fetch_add_explicit(&pid_space_initial.threads, 1, memory_order_relaxed);
    return native;
}

// Programs ---------------------------------------------------------------------------------------

#define ARGUMENTS_MAX (CMDLINE_INIT_MAX + 2)

static enum hx_status try_program(struct posix_process *process, const char *path,
                                  struct exec_image *out_image) {
    const struct cmdline_init *words = kernel_boot()->init;
    const char *arguments[ARGUMENTS_MAX] = { path };
    for (size_t i = 0; i < words->argument_count; i++) {
        arguments[i + 1] = words->arguments[i];
    }
    struct credentials *credentials = posix_credentials(process);
    const struct lookup lookup = { .context = process->fs,
                                   .credentials = credentials,
                                   .flags = LOOKUP_FOLLOW };
    const struct exec_request request = {
        .lookup = &lookup,
        .path = path,
        .name = path,
        .arguments.kernel = arguments,
        .environment.kernel = words->environment,
        .account = process->process->account,
    };
    const enum hx_status status = exec_load(process, &request, out_image);
    credentials_put(credentials);
    if (status == HX_OK) {
        log_info("Run %s as init process", path);
    }
    return status;
}

// Loads the first program that can be started; panics like Linux if there is none.
static void load_program(struct posix_process *process, struct exec_image *out_image) {
    static const char *const usual[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
    const struct cmdline *cmdline = kernel_boot()->cmdline;
    const char *early = cmdline_get(cmdline, "rdinit");
    const char *wanted = cmdline_get(cmdline, "init");
    const char *name = early != NULL ? early : "/init";
    enum hx_status status = try_program(process, name, out_image);
    if (status == HX_OK) {
        return;
    }
    if (early != NULL || status != HX_ERR_NOT_FOUND) {
        log_error("Failed to execute %s: %s", name, hx_status_name(status));
    }
    if (wanted != NULL) {
        status = try_program(process, wanted, out_image);
        if (status == HX_OK) {
            return;
        }
        panic("Requested init %s failed: %s", wanted, hx_status_name(status));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(usual); i++) {
        status = try_program(process, usual[i], out_image);
        if (status == HX_OK) {
            return;
        }
        if (status != HX_ERR_NOT_FOUND) {
            log_error("Starting init: %s exists but cannot be executed: %s", usual[i],
                      hx_status_name(status));
        }
    }
    panic("No working init found. Try passing init= option to the kernel.");
}

// Of several console= the last one is /dev/console; options behind a comma are the driver's.
static void choose_console(void) {
    char name[16];
    const char *value = cmdline_get(kernel_boot()->cmdline, "console");
    if (value == NULL || *value == '\0') {
        return;
    }
    string_copy(name, sizeof(name), value);
    char *comma = strchr(name, ',');
    if (comma != NULL) {
        *comma = '\0';
    }
    tty_console_choose(name);
}

static void open_console(struct posix_process *process) {
    const enum hx_status status =
        files_open_console(process->files, process->fs, process->credentials);
    if (status != HX_OK) {
        log_warning("unable to open an initial console: %s", hx_status_name(status));
    }
}

static void start_process_1(void) {
    struct exec_image image;
    make_root();
    mqueues_init();
    profile_load(root_context);
    choose_console();
    struct posix_process *process = make_process();
    open_console(process);
    load_program(process, &image);
    struct aspace *empty = process_replace_aspace(process->process, image.aspace);
    aspace_put(empty);
    link_process(process);
    struct user_thread *thread = make_thread(process, &image);
    process->exec_done = true;
    exec_adopt(process, &image); // it had no program before
    trace(TRACE_PROCESS_START, (uint64_t)process->pid, 0);
    posix_trace_task(thread->thread.personality);
    user_thread_start(thread);
    profile_load_later(root_context);
}

static void starter_run(void *argument) {
    (void)argument;
    start_process_1();
    oom_serve();
}

static enum hx_status posix_init(struct hx_env *env, void **out_self) {
    (void)env;
    *out_self = NULL;
    pids_init(&pid_space_initial);
    futex_init();
    futex_pi_init();
    clock_step_init();
    descriptors_init();
    posix_sockets_init();
    job_init();
    oom_init();
    enum hx_status status = process_caches_init();
    if (status == HX_OK) {
        status = vdso_init();
    }
    if (status == HX_OK) {
        status = procfs_init();
    }
    if (status != HX_OK) {
        return status;
    }
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    thread_init(&starter, "start", stack, THREAD_STACK_BYTES, starter_run, NULL);
    thread_start(&starter);
    object_put(&starter.object); // the running reference remains
    return HX_OK;
}

static const struct hx_module_ops posix_ops = { .init = posix_init };

HX_MODULE(posix, .name = "posix", .version = { 1, 0, 0 }, .phase = HX_PHASE_PERSONALITY,
          .ops = &posix_ops);
