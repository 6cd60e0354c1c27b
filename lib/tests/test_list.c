// SPDX-License-Identifier: MIT OR Apache-2.0
// Lists: order, removal, splicing.
#include "check.h"

#include <lib/list.h>

struct item {
    int number;
    struct list link;
};

// Whether the list holds exactly the digits of `digits`, forward and backward.
static bool holds(struct list *list, int digits) {
    int seen = 0;
    list_for_each (link, list) {
        seen = seen * 10 + LIST_ENTRY(link, struct item, link)->number;
        if (link->next->previous != link || link->previous->next != link) {
            return false;
        }
    }
    return seen == digits;
}

int main(void) {
    struct list list = LIST_INIT(list);
    struct list other;
    list_init(&other);
    struct item items[5];
    for (int i = 0; i < 5; i++) {
        items[i].number = i + 1;
        list_init(&items[i].link);
        CHECK(!list_is_linked(&items[i].link));
    }
    CHECK(list_is_empty(&list) && list_pop_front(&list) == NULL);
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[2].link);
    list_push_front(&list, &items[0].link);
    list_insert_after(&items[2].link, &items[4].link);
    list_insert_before(&items[4].link, &items[3].link);
    CHECK(holds(&list, 12345) && list_is_linked(&items[0].link));
    list_remove(&items[2].link);
    list_remove(&items[2].link);
    CHECK(holds(&list, 1245) && !list_is_linked(&items[2].link));
    CHECK(list_pop_front(&list) == &items[0].link && holds(&list, 245));
    list_push_back(&other, &items[0].link);
    list_push_back(&other, &items[2].link);
    list_splice_back(&list, &other);
    CHECK(holds(&list, 24513) && list_is_empty(&other));
    list_splice_back(&list, &other);
    CHECK(holds(&list, 24513));
    list_for_each_safe (link, &list) {
        if (LIST_ENTRY(link, struct item, link)->number % 2 == 0) {
            list_remove(link);
        }
    }
    CHECK(holds(&list, 513));
    return check_result();
}
