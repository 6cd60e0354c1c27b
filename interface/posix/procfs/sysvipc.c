// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/sysvipc.c: /proc/sysvipc: what there is of System V IPC, a line each (proc(5)).
#include "procfs.h"

#include "../sysv.h"

#include <lib/format.h>

// A mode as it is shown: octal, four columns.
static void put_mode(struct proc_text *text, uint32_t mode) {
    char digits[5] = "    ";
    int32_t at = 3;
    do {
        digits[at--] = (char)('0' + (mode & 7));
        mode >>= 3;
    } while (mode != 0 && at >= 0);
    text_put(text, "%s", digits);
}

static void put_head(struct proc_text *text, const struct ipc_line *line) {
    text_put(text, "%10d %10d  ", (int)line->perm.key, (int)line->id);
    put_mode(text, line->perm.mode);
}

static void put_owners(struct proc_text *text, const struct linux_ipc_perm *perm) {
    text_put(text, " %5u %5u %5u %5u", perm->uid, perm->gid, perm->cuid, perm->cgid);
}

enum hx_status proc_sysvipc_msg(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct ipc_line line;
    text_put(text,
             "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid"
             "  cgid      stime      rtime      ctime\n");
    for (int32_t index = 0; !text_is_full(text) && (index = msg_line(index, &line)) >= 0; index++) {
        put_head(text, &line);
        text_put(text, "  %10llu %10llu %5u %5u", (unsigned long long)line.values[0],
                 (unsigned long long)line.values[1], (unsigned)line.values[2],
                 (unsigned)line.values[3]);
        put_owners(text, &line.perm);
        text_put(text, " %10llu %10llu %10llu\n", (unsigned long long)line.values[4],
                 (unsigned long long)line.values[5], (unsigned long long)line.values[6]);
    }
    return HX_OK;
}

enum hx_status proc_sysvipc_sem(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct ipc_line line;
    text_put(text, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
                   "ctime\n");
    for (int32_t index = 0; !text_is_full(text) && (index = sem_line(index, &line)) >= 0; index++) {
        put_head(text, &line);
        text_put(text, " %10llu", (unsigned long long)line.values[0]);
        put_owners(text, &line.perm);
        text_put(text, " %10llu %10llu\n", (unsigned long long)line.values[1],
                 (unsigned long long)line.values[2]);
    }
    return HX_OK;
}

enum hx_status proc_sysvipc_shm(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct ipc_line line;
    text_put(text,
             "       key      shmid perms                  size  cpid  lpid nattch   uid   gid"
             "  cuid  cgid      atime      dtime      ctime                   rss"
             "                  swap\n");
    for (int32_t index = 0; !text_is_full(text) && (index = shm_line(index, &line)) >= 0; index++) {
        put_head(text, &line);
        text_put(text, " %21llu %5u %5u  %5llu", (unsigned long long)line.values[0],
                 (unsigned)line.values[1], (unsigned)line.values[2],
                 (unsigned long long)line.values[3]);
        put_owners(text, &line.perm);
        text_put(text, " %10llu %10llu %10llu %21llu %21u\n", (unsigned long long)line.values[4],
                 (unsigned long long)line.values[5], (unsigned long long)line.values[6],
                 (unsigned long long)line.values[7], 0u);
    }
    return HX_OK;
}
