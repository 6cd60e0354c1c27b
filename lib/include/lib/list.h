// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/list.h>: doubly linked circular lists whose links live inside the elements.
//
// A list head and a link are the same struct. The list owns nothing; the caller's lock guards it.
// A link that is in no list points at itself, so list_is_linked() is exact after list_init() and
// list_remove().
#pragma once

#include <helix/types.h>

struct list {
    struct list *next;
    struct list *previous;
};

#define LIST_INIT(name) { &(name), &(name) }

// Makes an empty list, or a link that is in no list.
static inline void list_init(struct list *list) {
    list->next = list;
    list->previous = list;
}

// Whether nothing is in the list.
static inline bool list_is_empty(const struct list *list) {
    return list->next == list;
}

// Whether `link` is in a list.
static inline bool list_is_linked(const struct list *link) {
    return link->next != link;
}

// Inserts `link` behind `position`; with a list's head, at the front.
static inline void list_insert_after(struct list *position, struct list *link) {
    link->next = position->next;
    link->previous = position;
    position->next->previous = link;
    position->next = link;
}

// Inserts `link` before `position`; with a list's head, at the back.
static inline void list_insert_before(struct list *position, struct list *link) {
    list_insert_after(position->previous, link);
}

// Inserts `link`, which is in no list, at the front or at the back.
static inline void list_push_front(struct list *list, struct list *link) {
    list_insert_after(list, link);
}

static inline void list_push_back(struct list *list, struct list *link) {
    list_insert_after(list->previous, link);
}

// Takes `link` out of its list and leaves it unlinked. Harmless on an unlinked one.
static inline void list_remove(struct list *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

// The first link, taken out; NULL if the list is empty.
static inline struct list *list_pop_front(struct list *list) {
    struct list *first = list->next;
    if (first == list) {
        return NULL;
    }
    list_remove(first);
    return first;
}

// Moves all of `from` to the back of `to`; `from` becomes empty.
static inline void list_splice_back(struct list *to, struct list *from) {
    if (list_is_empty(from)) {
        return;
    }
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    list_init(from);
}

// The element that holds a link.
#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

// Walks the links of a list; the current one must not be removed in the body.
#define list_for_each(link, head)                                                                  \
    for (struct list *link = (head)->next; link != (head); link = link->next)

// Walks the links of a list; the current one may be removed in the body.
#define list_for_each_safe(link, head)                                                             \
    for (struct list *link = (head)->next, *link##_next = link->next; link != (head);              \
         link = link##_next, link##_next = link->next)
