// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: spin
// undo.pml: a translation is undone in two steps: it goes from the table, then the processors that
// still use it forget it. Three threads come to one page in ways that do not exclude each other: one
// that hides it (mprotect, munmap, madvise, with the address space's lock), one that cuts it off
// (truncate, punch, msync, revoke, with the object's), one that faults and puts a copy in its place.
// The steps of aspace_undo_begin() and aspace_undo_end() (subsys/memory). A model: that the code
// keeps this order is boot/memory-selftest's. One step is what the lock of the page table makes one;
// memory is sequentially consistent, aspace.c says why weaker machines see the counter in time.
//
// What holds: when any of the three has come to its end, no processor uses the frame through this
// mapping any more, so that it may be given away; and everybody comes to their end.

#define NONE 0
#define OLD  1 // the frame that all come for
#define COPY 2

byte entry = OLD;       // of the page table
bool uses[2];           // what a processor remembers: OLD, whatever the entry says
byte undoing;           // of the address space
bool in_object = true;  // OLD is the object's page
bool object_lock;
bool space_write;       // the address space's lock, for a change of its mappings; for good here
byte space_read;
bool gone;              // somebody relies on it
byte ends;

inline flush() {
    uses[0] = false;
    uses[1] = false
}

inline undo_end(any) {
    if
    :: any || undoing > 1 -> flush()
    :: else
    fi;
    undoing--
}

// Nobody may come to the page again: it is hidden, or no longer the object's, or there is a copy.
inline rely() {
    atomic {
        gone = true;
        ends++
    }
}

proctype processor(byte me) {
    do
    :: atomic { entry == OLD -> uses[me] = true }   // walks the table
    :: atomic { uses[me] -> assert(!gone) }         // loads or stores
    :: atomic { entry == NONE && in_object && !object_lock && !space_write -> entry = OLD } // faults
    :: ends == 3 -> break
    od
}

proctype hides() {
    bool any;
    atomic { space_read == 0 -> space_write = true }
    undoing++;
    atomic {
        any = entry != NONE;
        entry = NONE
    }
    undo_end(any);
    rely()
}

proctype cuts() {
    bool any;
    atomic { !object_lock -> object_lock = true }
    undoing++;
    atomic {
        any = entry == OLD;
        if
        :: any -> entry = NONE
        :: else // a copy is not the object's
        fi
    }
    undo_end(any);
    in_object = false;
    rely();
    object_lock = false
}

proctype copies() {
    bool any;
    if
    :: atomic { !space_write -> space_read++ }
        atomic {
            any = entry == OLD;
            if
            :: any -> entry = COPY; undoing++
            :: else // it was taken away: the fault finds that out elsewhere
            fi
        }
        if
        :: any ->
            undo_end(true);
            rely()
        :: else -> ends++
        fi;
        space_read--
    :: space_write -> ends++
    fi
}

init {
    atomic {
        run processor(0);
        run processor(1);
        run hides();
        run cuts();
        run copies()
    }
    _nr_pr == 1;
    assert(undoing == 0 && !uses[0] && !uses[1])
}
