// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: spin
// swap.pml: a module is replaced, or dies and is started anew, while threads call it: the protocol
// of the gate (core/gate.c) with what DESIGN, section 4, builds on it: swap, roll-back, unwinding,
// arena, requests. A model: it shows that the order of steps is right, not that the code keeps it;
// for the gate alone, proof/gate runs the code. One step is what nobody sees half of; memory is
// sequentially consistent, since who closes makes a barrier on every processor.
//
// What holds: nobody runs an instance that is not the published one, or that is gone; whoever is
// called next finds the arena whole; a request is completed once, whichever instance accepted it; a
// caller keeps his lock when the module under him dies; a swap that fails or is too slow leaves the
// old instance as it was; nobody waits for ever.

#define CALLERS   2
#define CPUS      2
#define INSTANCES 3 // the first, a swap, a restart
#define NONE      255

// The gate.
bool closed;
byte entered[CPUS], left[CPUS];

// The slot.
byte published;       // the instance that calls run in
bool alive[INSTANCES]; // its code and memory are there
bool faulted[INSTANCES];
byte next = 1;

// The arena: a pair that is equal whenever nobody is in the middle of an update.
byte first, second, saved;
bool updating;

// A request that the core keeps.
bool accepted, completed;
byte taken_by = NONE;

byte mutex = NONE; // the module's, in the arena's care
bool held[CALLERS]; // a caller's own lock, over its call
byte callers_done;

inline enter(cpu) {
    do
    :: entered[cpu]++;
       if
       :: !closed -> break
       :: else -> left[cpu]++; !closed
       fi
    od
}

// Completed by the instance that has it; a swap hands it to the next one.
inline complete_request() {
    if
    :: accepted && !completed && taken_by == instance ->
        atomic {
            assert(!completed);
            completed = true
        }
    :: else
    fi
}

proctype caller(byte cpu) {
    byte instance, out = cpu, rounds = 0;
    bool died;
    do
    :: rounds == 2 - cpu -> break // one calls twice, the other once
    :: else ->
        rounds++;
        died = false;
        held[cpu] = true;
        enter(cpu);
        instance = published;
        assert(alive[instance]);
        if // a module that faulted while this one was on its way refuses
        :: faulted[instance] -> died = true
        :: else ->
            atomic { mutex == NONE -> mutex = cpu };
            if
            :: faulted[instance] -> died = true // whoever waited for it comes out, too
            :: else ->
                assert(first == second && !updating && instance == published);
                if
                :: !accepted -> atomic { accepted = true; taken_by = instance }
                :: else -> complete_request()
                fi;
                saved = first; updating = true;
                first = first + 1;
                if
                :: next < INSTANCES -> faulted[instance] = true; died = true // a fault in mid-update
                :: true -> second = second + 1; updating = false
                fi
            fi;
            assert(mutex == cpu && alive[instance] && instance == published);
            mutex = NONE // also by unwinding
        fi;
        // Out by return or by unwinding, perhaps on another processor: counted either way.
        if
        :: out = cpu
        :: out = 1 - cpu
        fi;
        left[out]++;
        assert(held[cpu]);
        held[cpu] = false
    od;
    callers_done++
}

bool nobody;
byte gone, come;

// Until nobody is inside, or too late. Who left is counted first: see proof/gate.
inline drain() {
    do
    :: gone = left[0];
       gone = gone + left[1];
       come = entered[0];
       come = come + entered[1];
       nobody = (gone == come);
       if
       :: nobody -> break
       :: else ->
           if
           :: !must && true -> break // the deadline
           :: true
           fi
       fi
    od
}

// The arena as the last whole update left it.
inline roll_back() {
    if
    :: updating -> first = saved; second = saved; updating = false
    :: else
    fi;
    assert(first == second)
}

inline publish(instance) {
    old = published;
    published = instance;
    if
    :: accepted && !completed -> taken_by = instance // handed over, or submitted again
    :: else
    fi;
    closed = false;
    alive[old] = false // its grace period is over: everybody had left
}

active proctype orchestrator() {
    byte instance, old, swaps = 0;
    bool must;
    alive[0] = true;
    run caller(0);
    run caller(1);
    do
    :: faulted[published] -> // heal: no deadline, the faulted instance is called no more
        must = true;
        closed = true; drain();
        roll_back();
        assert(next < INSTANCES);
        instance = next; next++;
        alive[instance] = true;
        publish(instance)
    :: !faulted[published] && swaps < 1 && next < INSTANCES - 1 ->
        swaps++;
        must = false;
        instance = next; next++;
        alive[instance] = true; // loaded and initialised beside the old one
        closed = true; drain();
        if
        :: !nobody -> closed = false; alive[instance] = false // too slow: as if nothing had happened
        :: nobody && faulted[published] -> closed = false; alive[instance] = false // heal it instead
        :: nobody && !faulted[published] ->
            assert(first == second && !updating);
            if
            :: closed = false; alive[instance] = false // the self-test failed
            :: publish(instance)
            fi
        fi
    :: callers_done == CALLERS && !faulted[published] && swaps == 1 -> break
    :: callers_done == CALLERS && !faulted[published] && next >= INSTANCES - 1 -> break
    od;
    assert(first == second && !updating && !closed);
    assert(!accepted || completed || taken_by == published); // somebody will
    assert(alive[published] && mutex == NONE && !held[0] && !held[1]);
    assert(left[0] + left[1] == entered[0] + entered[1])
}
