// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: spin
// revocation.pml: two capabilities are revoked at once, one below the other, while two threads use
// them in each way that outlives a look at the rights: a call, a wait, a mapping, pages that a device
// has. The order of the steps of core/capability.c, with what it relies on: mappings that are told of
// it (memory_object_revoke()), and calls that end only when the device has given back what was lent
// to it (subsys/io). A model: that the code keeps this order is proof/revoke's and
// proof/capability-tree's. One step is what nobody sees half of; memory is sequentially consistent,
// since a revoker makes a barrier on every processor between its steps.
//
// What holds: once a revocation has returned, nobody acts under what it revoked, no mapping of it is
// there and none comes, and no device has its pages; nobody waits for ever, also where a revoker
// tells a thread that has left already, and sees another one that only looks.

#define USERS 2
#define NONE  255
#define TOP   0 // revoked by one, and all below it
#define CHILD 1 // revoked by the other
#define NODES 2

bool live[NODES];    // its rights
bool in_tree;        // CHILD is among the children of TOP
bool gone[NODES];    // a revocation of it has returned
bool mapped[NODES];  // a translation that was made under it
bool device[NODES];  // pages that a call under it has lent to a device
byte under[USERS];   // what a thread acts under
bool told[USERS];    // THREAD_REVOKE
byte sequence;       // of `left`
byte revokers_done;

// See under_clear().
inline leave(me) {
    under[me] = NONE;
    if
    :: told[me] -> told[me] = false; sequence++
    :: else
    fi
}

// A touch of memory that was mapped under it, in a call or without one: the rights are looked at
// under the lock of the page table, under which a revocation takes translations away.
inline touch(node) {
    atomic {
        if
        :: live[node] -> assert(!gone[node]); mapped[node] = true
        :: else
        fi
    }
}

proctype user(byte me) {
    byte node;
    atomic {
        if
        :: me == 0 -> node = TOP
        :: node = CHILD
        fi
    }
    under[me] = node;
    if
    :: live[node] ->
        assert(!gone[node]);
        if
        :: told[me] && !live[node] // a wait that nothing else ends
        :: me == 0 -> device[node] = true; device[node] = false // at any time; the call waits
        :: me == 1 -> touch(node)
        fi;
        assert(!gone[node]);
        leave(me)
    :: else -> // refused; whoever saw it may wait for it without having told it
        leave(me);
        sequence++
    fi;
    if
    :: me == 1 -> touch(node)
    :: else
    fi
}

#define ACTS(who) (under[who] != NONE && !live[under[who]])

inline collect(who) {
    if
    :: ACTS(who) ->
        any = true;
        if
        :: !told[who] -> fresh[who] = true
        :: else
        fi
    :: else
    fi
}

inline notify(who) {
    if
    :: fresh[who] -> told[who] = true; fresh[who] = false; more = true
    :: else
    fi
}

// Tells all that act under something dead. `any`: there are some, told or not.
inline tell_threads() {
    do
    :: any = false;
       more = false;
       collect(0);
       collect(1);
       if
       :: !any -> break
       :: else
       fi;
       notify(0);
       notify(1);
       if
       :: !more -> break
       :: else
       fi
    od
}

inline wait_until_left() {
    do
    :: seen = sequence;
       tell_threads();
       if
       :: !any || (!ACTS(0) && !ACTS(1)) -> break
       :: else -> sequence != seen
       fi
    od
}

inline unmap(node) {
    if
    :: !live[node] -> mapped[node] = false
    :: else
    fi
}

proctype revoker(byte top) {
    byte seen;
    bool any, more, fresh[USERS];
    live[top] = false; // each under the lock of the tree, which is free in between
    do                 // what leaves the list of its parent is dead
    :: top == TOP && in_tree -> live[CHILD] = false; in_tree = false
    :: else -> break
    od;
    wait_until_left();
    atomic {
            unmap(CHILD)

    }
    atomic {
        gone[top] = true;
        if
        :: top == TOP -> gone[CHILD] = true
        :: else
        fi
    }
    assert(!live[top] && !mapped[top] && !device[top]);
    assert(top != TOP || (!live[CHILD] && !mapped[CHILD] && !device[CHILD]));
    revokers_done++
}

init {
    atomic {
        under[0] = NONE;
        under[1] = NONE;
        live[TOP] = true;
        live[CHILD] = true;
        in_tree = true;
        run user(0);
        run user(1);
        run revoker(TOP);
        run revoker(CHILD)
    }
    revokers_done == 2 && _nr_pr == 1; // all have come to their end
    assert(!live[TOP] && !live[CHILD] && !mapped[TOP] && !mapped[CHILD])
}
