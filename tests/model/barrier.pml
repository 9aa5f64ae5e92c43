/* Barrier and epochs, of engine.cpp (start, turn, exit), replicas.cpp, mode_gate.cpp, backfill.cpp (migrate()). One replica at a
 * time, up to TURNS starts, turns, exits or deaths; two requests; one copy. Captured changes reach Milvus (sync.pml). */
#define NONE 0
#define ONLY 1
#define DUAL 2
#ifndef TURNS
#define TURNS 4
#endif
byte epoch, gate, row, named; bool fresh, owed, done, refused, idle;
byte under_way[3], generation, nreq, turns;
byte value = 1, milvus;
inline bury() { if :: row != NONE && !fresh -> if :: row == ONLY -> epoch++ :: else fi; row = NONE :: else fi }
proctype Engine() {
  byte last;
  do
  :: atomic { turns < TURNS && gate == NONE && (row == NONE || !fresh) -> turns++ };  /* rows of two lives are one here */
     atomic { bury() };
     if
#ifdef ENTER_AT_ONCE
     :: atomic { epoch++; row = ONLY; fresh = true }; gate = ONLY
#else
     :: epoch++; atomic { row = ONLY; fresh = true }; gate = ONLY
#endif
     :: atomic { row = DUAL; fresh = true }; gate = DUAL
     fi
  :: atomic { turns < TURNS && gate == ONLY && fresh -> turns++;
#ifdef REPORT_BEFORE_DRAIN
       gate = DUAL }; epoch++; row = DUAL; under_way[ONLY] == 0
#else
       gate = DUAL }; under_way[ONLY] == 0; 
#ifndef NO_EPOCH
     epoch++;
#endif
     row = DUAL
#endif
  :: atomic { turns < TURNS && gate == DUAL && fresh -> turns++ };
#ifdef ENTER_AT_ONCE
     atomic { epoch++; row = ONLY }; gate = ONLY;
#else
#ifndef NO_EPOCH
     epoch++;
#endif
     row = ONLY; gate = ONLY;
#endif
     under_way[DUAL] == 0
  :: atomic { turns < TURNS && gate != NONE -> turns++; last = gate; gate = NONE };   /* exits, drained by the HTTP server */
     under_way[ONLY] == 0 && under_way[DUAL] == 0;
     atomic {
#ifdef EXIT_BREAKS_EPOCH
       if :: last == ONLY -> epoch++ :: else fi;
#endif
       row = NONE; last = NONE }
  :: atomic { turns < TURNS && gate != NONE -> turns++; gate = NONE; generation++; under_way[ONLY] = 0; under_way[DUAL] = 0 } /* killed */
  :: break
  od;
  idle = true
}
proctype Request() {
  byte mode, mine;
  if :: atomic { gate != NONE -> mode = gate; mine = generation; under_way[mode]++ } :: idle -> goto out fi;
  if
  :: atomic { mine == generation && fresh -> value++; if :: mode == DUAL -> owed = true :: else fi; under_way[mode]-- }
  :: atomic { mine == generation -> under_way[mode]-- }
  :: mine != generation
  fi;
out: nreq++
}
proctype World() {
end: do
  :: atomic { owed -> owed = false; milvus = value }
  :: atomic { row != NONE && fresh -> fresh = false }
  :: atomic { gate != NONE && row != NONE && !fresh -> fresh = true } /* a beat */
  od
}
proctype Backfill() {
#ifdef BURY_AT_BARRIER
  atomic { bury() };
#endif
#ifdef EPOCH_FIRST
  named = epoch;
#endif
  if :: row == ONLY && fresh -> refused = true; goto out :: else fi;
#ifndef EPOCH_FIRST
  named = epoch;
#endif
  milvus = value;
#ifndef NO_END_BARRIER
  atomic {
#ifdef BURY_AT_BARRIER
    bury();
#endif
    if :: row == ONLY && fresh -> refused = true; goto out :: else fi }
#endif
  done = true;
out: skip
}
init {
  atomic { run World(); run Engine(); run Request(); run Request(); run Backfill() };
  atomic { (done || refused) && idle && nreq == 2 && !owed -> assert(!done || named != epoch || milvus == value) }
}
