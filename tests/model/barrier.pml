/* Modes, heartbeats, the copy's barrier and epochs.
 *
 *   Replica    src/engine/engine.cpp (start, turn, ~Engine), src/engine/mode_gate.cpp
 *   Heart      the beating thread of src/engine/engine.cpp
 *   Request    a change that nobody captures: src/neo4j/media_writer.cpp behind the gate
 *   Backfill   src/migration/copy/run.cpp (pass_barrier), sweep_both.cpp
 *   beat, withdraw, look_at_barrier: src/neo4j/replicas.cpp, each one transaction behind the epoch's lock
 *
 * Captured changes reach Milvus (sync.pml); here they are left out, as if they were other items'. So what Milvus lacks is one
 * bit. A replica is one life of an engine. Each process may stand still for ever at any step: so does a replica that dies.
 * Its row lapses at any time, be it dead, paused or cut off.
 *
 * Configuration: REPLICAS (1 to 3), REQUESTS (1 to 3), TURNS (of each replica). Mutations: README.md.
 */
#define NONE 0
#define ONLY 1 /* neo4j_only: changes are not captured */
#define DUAL 2
#ifndef REPLICAS
#define REPLICAS 2
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef TURNS
#define TURNS 2
#endif
#ifndef SWEEPS
#define SWEEPS 2
#endif

byte epoch;
byte row[REPLICAS];      /* (:EngineReplica): its mode; NONE = no row */
bool fresh[REPLICAS];    /* seen lately; else its requests' deadlines are over too */

byte reported[REPLICAS]; /* in the engine: what the next beat says; NONE = it beats no more, or not yet */
byte gate[REPLICAS];     /* the mode of requests that come in now; NONE = none come in */
byte under_way[REPLICAS];

bool missing;            /* from Milvus */
byte named;              /* the checkpoint's epoch */
bool done;
bool done_without_copy;
byte ended;

/* ---- Neo4j ---- */

inline beat(i, mode) {
  if
  :: row[i] != mode && (row[i] == ONLY || mode == ONLY) ->
#ifdef NO_EPOCH_AT_ALL
     skip
#elif defined(NO_EPOCH_ON_ENTRY)
     if :: mode == DUAL -> epoch++ :: else fi
#elif defined(NO_EPOCH_ON_LEAVING)
     if :: mode == ONLY -> epoch++ :: else fi
#else
     epoch++
#endif
  :: else
  fi;
  row[i] = mode;
  fresh[i] = true
}

inline withdraw(i) {
#if !defined(NO_EPOCH_ON_LEAVING) && !defined(NO_EPOCH_AT_ALL)
  if :: row[i] == ONLY -> epoch++ :: else fi;
#endif
  row[i] = NONE
}

inline bury(i) {
  if
  :: row[i] != NONE && !fresh[i] ->
#ifndef NO_EPOCH_OF_THE_DEAD
     if :: row[i] == ONLY -> epoch++ :: else fi;
#endif
     row[i] = NONE
  :: else
  fi
}

/* ---- The engine ---- */

proctype Replica(byte i) {
  byte turns, mode;
  if :: mode = ONLY :: mode = DUAL :: goto out fi;
  atomic { beat(i, mode); reported[i] = mode };
  gate[i] = mode;
  do
  :: atomic { turns < TURNS && gate[i] == ONLY -> turns++; gate[i] = DUAL };
#ifndef REPORT_BEFORE_DRAIN
     under_way[i] == 0;
#endif
     reported[i] = DUAL
  :: atomic { turns < TURNS && gate[i] == DUAL -> turns++ };
#ifdef GATE_BEFORE_REPORT
     gate[i] = ONLY;
#endif
#ifdef ENTER_IN_TWO
     epoch++;
     atomic { row[i] = ONLY; fresh[i] = true; reported[i] = ONLY };
#elif defined(STALE_BEAT)
     reported[i] = ONLY;
     atomic { beat(i, ONLY) };
#else
     if
     :: atomic { true -> beat(i, ONLY); reported[i] = ONLY }
     :: atomic { true -> beat(i, ONLY); goto next } /* the outcome is unknown; the next beat takes it back */
     fi;
#endif
     gate[i] = ONLY;
next:
     skip
  :: gate[i] = NONE; /* exit */
#ifndef EXIT_BEFORE_DRAIN
     under_way[i] == 0;
#endif
     reported[i] = NONE;
     atomic { withdraw(i) };
     break
  :: break
  od;
out:
  atomic { turns = 0; mode = NONE; ended++ }
}

/* What it says and Neo4j's taking it are one step: no turn comes between them. */
proctype Heart(byte i) {
  byte mode;
end:
  do
#ifdef STALE_BEAT
  :: atomic { reported[i] != NONE && mode == NONE -> mode = reported[i] }
  :: atomic { mode != NONE -> if :: reported[i] != NONE -> beat(i, mode) :: else fi; mode = NONE }
#else
  :: atomic { reported[i] != NONE && (!fresh[i] || row[i] != reported[i]) -> beat(i, reported[i]) }
#endif
  :: atomic { fresh[i] -> fresh[i] = false }
  od
}

inline enter(x) { gate[x] == ONLY -> i = x; under_way[x]++ }

proctype Request() {
  byte i;
  if
  :: atomic { enter(0) }
#if REPLICAS > 1
  :: atomic { enter(1) }
#endif
#if REPLICAS > 2
  :: atomic { enter(2) }
#endif
  :: goto out
  fi;
  if
  :: atomic { fresh[i] -> missing = true; under_way[i]-- }
  :: atomic { true -> under_way[i]-- }
  fi;
out:
  atomic { i = 0; ended++ }
}

/* ---- The copy ---- */

#define RUNS_ONLY(i) (row[i] == ONLY && fresh[i])
#if REPLICAS == 1
#define SOME_RUN_ONLY RUNS_ONLY(0)
#elif REPLICAS == 2
#define SOME_RUN_ONLY (RUNS_ONLY(0) || RUNS_ONLY(1))
#else
#define SOME_RUN_ONLY (RUNS_ONLY(0) || RUNS_ONLY(1) || RUNS_ONLY(2))
#endif

inline look_at_barrier(now) {
#ifndef NO_BURIAL
  bury(0);
#if REPLICAS > 1
  bury(1);
#endif
#if REPLICAS > 2
  bury(2);
#endif
#endif
  if :: SOME_RUN_ONLY -> goto out :: else fi; /* refused */
  now = epoch
}

proctype Backfill() {
  byte now, sweeps;
  atomic { look_at_barrier(now); named = now };
again:
  missing = false; /* the copy, then the sweep */
  atomic {
#ifndef NO_END_BARRIER
    look_at_barrier(now);
#ifndef EPOCH_NOT_COMPARED
    if
    :: now != named && sweeps < SWEEPS -> sweeps++; named = now; goto again
    :: now != named && sweeps == SWEEPS -> goto out /* enough for this model */
    :: else
    fi;
#endif
    named = now;
#endif
    done = true;
    done_without_copy = missing;
    assert(!done_without_copy)
  };
out:
  atomic { now = 0; sweeps = 0; ended++ }
}

/* "Done" means copied for as long as the epoch is the one that it names. */
active proctype Monitor() {
end:
  atomic { done && named == epoch && missing -> done_without_copy = true; assert(!done_without_copy) }
}

init {
  atomic {
    run Replica(0); run Heart(0);
#if REPLICAS > 1
    run Replica(1); run Heart(1);
#endif
#if REPLICAS > 2
    run Replica(2); run Heart(2);
#endif
    run Request();
#if REQUESTS > 1
    run Request();
#endif
#if REQUESTS > 2
    run Request();
#endif
    run Backfill()
  };
  ended == REPLICAS + REQUESTS + 1
}
