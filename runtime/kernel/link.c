// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/link.c: work on its way to a worker in ring 3 and back.
//
// Who wants something done puts it into the queue and sleeps; a worker that asks for work takes it,
// copies it out, and when it asks again, copies the answer in. All that is copied is the kernel's
// own before it is looked at. While a worker copies, what it copies stays: also when the module
// dies, who waits for it waits until the worker has let it go.
#include "isolated.h"

#include <core/time.h>
#include <lib/string.h>
#include <memory/usercopy.h>

#define ANSWER_NS ((time_ns_t)5000000000) // no operation takes so long

static const struct lock_class link_class = { "work of a module", LOCK_RANK_MODULE_SPIN + 1,
                                              false };

void link_init(struct link *link) {
    spinlock_init(&link->lock, &link_class);
    list_init(&link->queue);
    waitable_init(&link->changed, 0);
}

// ---- who wants it done

static void finish_locked(struct work *work, enum hx_status result) {
    work->result = result;
    work->is_done = true;
    waitable_pulse(&work->done);
}

// False: the module has died.
static bool work_give(struct domain *domain, struct work *work) {
    struct link *link = &domain->link;
    spin_lock(&link->lock);
    const bool is_dead = link->is_dead;
    if (!is_dead) {
        list_push_back(&link->queue, &work->link);
    }
    spin_unlock(&link->lock);
    if (!is_dead) {
        waitable_pulse(&link->changed);
    }
    return !is_dead;
}

static bool is_done(struct domain *domain, const struct work *work) {
    spin_lock(&domain->link.lock);
    const bool done = work->is_done;
    spin_unlock(&domain->link.lock);
    return done;
}

static enum hx_status work_wait(struct domain *domain, struct work *work, time_ns_t deadline) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(&work->done);
        if (is_done(domain, work)) {
            return HX_OK;
        }
        if (wait_change(&work->done, sequence, deadline, 0) != HX_OK && !is_done(domain, work)) {
            return HX_ERR_TIMED_OUT;
        }
    }
}

enum hx_status link_do(struct domain *domain, struct work *work) {
    waitable_init(&work->done, 0);
    work->is_done = false;
    if (!work_give(domain, work)) {
        return HX_ERR_PEER_DIED;
    }
    if (work_wait(domain, work, time_now() + ANSWER_NS) != HX_OK) {
        const struct gate_death death = { .at = time_now(), .what = "no answer" };
        domain_die(domain, &death);
        HX_IGNORE(work_wait(domain, work, TIME_NEVER)); // it is given back at once
    }
    return work->result;
}

// ---- the worker

// What the worker did, as long as somebody waits for it; the worker has it until work_release().
static struct work *work_hold(struct worker *worker) {
    struct link *link = &worker->domain->link;
    spin_lock(&link->lock);
    struct work *work = worker->work;
    worker->is_copying = work != NULL;
    spin_unlock(&link->lock);
    return work;
}

// It is answered, or the worker goes on with it.
static void work_release(struct worker *worker, struct work *work, bool is_answered,
                         enum hx_status result) {
    struct link *link = &worker->domain->link;
    spin_lock(&link->lock);
    worker->is_copying = false;
    if (is_answered || link->is_dead) {
        worker->work = NULL;
        finish_locked(work, link->is_dead ? HX_ERR_PEER_DIED : result);
    }
    spin_unlock(&link->lock);
}

static enum hx_status answer_copy(const struct worker *worker, struct work *work) {
    struct service_area area;
    const struct uaddr from = domain_area(worker);
    enum hx_status status = copy_from_user(&area, from, sizeof(area));
    if (status != HX_OK) {
        return HX_ERR_CORRUPT;
    }
    work->status = (enum hx_status)area.status; // whatever it is: a number
    work->message = area.message;
    if (work->kind != SERVICE_WORK_CALL || work->message.inline_bytes != WIRE_PAGED) {
        return HX_OK;
    }
    if (work->message.body_bytes > work->reply_bytes) {
        return HX_ERR_CORRUPT;
    }
    status = copy_from_user(work->reply, uaddr_add(from, (uint64_t)SERVICE_PAGE_REPLY * PAGE_SIZE),
                            work->message.body_bytes);
    return status == HX_OK ? HX_OK : HX_ERR_CORRUPT;
}

static void work_answer(struct worker *worker) {
    struct work *work = work_hold(worker);
    if (work != NULL) {
        work_release(worker, work, true, answer_copy(worker, work));
    }
}

static enum hx_status work_copy(const struct worker *worker, const struct work *work) {
    struct service_area area = { .kind = work->kind,
                                 .number = work->number,
                                 .argument = work->argument,
                                 .message = work->message };
    const struct uaddr to = domain_area(worker);
    const uint32_t first = worker->number * SERVICE_AREA_PAGES;
    area.message.body_page = (uint16_t)(first + SERVICE_PAGE_REQUEST);
    area.message.reply_page = (uint16_t)(first + SERVICE_PAGE_REPLY);
    enum hx_status status = HX_OK;
    if (work->kind == SERVICE_WORK_CALL && area.message.inline_bytes == WIRE_PAGED) {
        status = copy_to_user(uaddr_add(to, (uint64_t)SERVICE_PAGE_REQUEST * PAGE_SIZE), work->body,
                              area.message.body_bytes);
    }
    return status == HX_OK ? copy_to_user(to, &area, sizeof(area)) : status;
}

// The next one of the queue is the worker's; NULL: there is none. Whether nobody is left who would
// take another one.
static struct work *work_take(struct worker *worker, bool *out_wants_worker, bool *out_is_dead) {
    struct link *link = &worker->domain->link;
    spin_lock(&link->lock);
    struct list *first = list_pop_front(&link->queue);
    struct work *work = first != NULL ? LIST_ENTRY(first, struct work, link) : NULL;
    worker->work = work;
    worker->is_copying = work != NULL;
    *out_wants_worker = work != NULL && link->idle == 0;
    *out_is_dead = link->is_dead;
    spin_unlock(&link->lock);
    return work;
}

static void idle_add(struct link *link, int32_t change) {
    spin_lock(&link->lock);
    link->idle += (uint32_t)change;
    spin_unlock(&link->lock);
}

enum hx_status link_next(struct worker *worker) {
    struct link *link = &worker->domain->link;
    bool is_dead, wants_worker;
    work_answer(worker);
    for (;;) {
        const uint32_t sequence = waitable_sequence(&link->changed);
        struct work *work = work_take(worker, &wants_worker, &is_dead);
        if (work != NULL) {
            const enum hx_status status = work_copy(worker, work);
            work_release(worker, work, status != HX_OK, HX_ERR_PEER_DIED);
            if (wants_worker) { // by this one: who wants something done may hold any lock
                domain_worker_add(worker->domain);
            }
            return status;
        }
        idle_add(link, 1);
        const enum hx_status status =
            is_dead ? HX_ERR_PEER_DIED
                    : wait_change(&link->changed, sequence, TIME_NEVER, WAIT_KILLABLE);
        idle_add(link, -1);
        if (status != HX_OK) {
            return HX_ERR_PEER_DIED;
        }
    }
}

bool link_begins(const struct worker *worker) {
    struct link *link = &worker->domain->link;
    spin_lock(&link->lock);
    const struct work *work = worker->work;
    const bool begins = work != NULL && work->kind == SERVICE_WORK_LIFE &&
                        (work->number == SERVICE_INIT || work->number == SERVICE_START);
    spin_unlock(&link->lock);
    return begins;
}

// ---- the end

void link_end(struct domain *domain) {
    struct link *link = &domain->link;
    struct list *first;
    spin_lock(&link->lock);
    link->is_dead = true;
    while ((first = list_pop_front(&link->queue)) != NULL) {
        finish_locked(LIST_ENTRY(first, struct work, link), HX_ERR_PEER_DIED);
    }
    for (uint32_t i = 0; i < domain->worker_count; i++) {
        struct worker *worker = &domain->workers[i];
        if (worker->work != NULL && !worker->is_copying) {
            finish_locked(worker->work, HX_ERR_PEER_DIED);
            worker->work = NULL;
        }
    }
    spin_unlock(&link->lock);
    waitable_pulse(&link->changed);
}
