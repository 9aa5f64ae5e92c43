/* Writers, couriers, reconcilers, the copy and the anti-entropy scan around the one way to write Milvus.
 *
 *   Writer        one change and its delivery: src/neo4j/media_writer.cpp, src/engine/courier.cpp
 *   Reconciler    src/engine/reconciler.cpp; claim and settlement are src/neo4j/change_log.cpp
 *   Backfill      src/migrate/backfill.cpp, copy_pipeline.cpp, fenced_version_check.cpp; sweep: src/sync/sweep.cpp
 *   AntiEntropy   the engine's scan (rule 7)
 *   World         time: leases end, Milvus applies late writes, Neo4j's leader moves
 * Each of them reads, writes and checks as src/sync/sync.cpp does.
 *
 * Abstracted: batches (each id is synced by itself), the number of rounds (giving up is dying), the heartbeat's limit (one more
 * deadline), and durations: a lease may end at any time. A process that is paused takes no step for a while. Each may die
 * at any step and any number of times; a courier that died does not come back. One replica's death is its parts' deaths.
 *
 * Configuration: WRITERS (2 or 3), RECONCILERS (0 to 2), IDS (1 or 2), ABSENT (at first no node), BACKFILL, UNORDERED (its sweep
 * looks only for rows that Neo4j lacks), CLUSTER (what is read outside a write transaction may come from a former leader of
 * Neo4j), ANTI_ENTROPY (with somebody who writes Neo4j around the engine). Mutations: README.md.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef RECONCILERS
#define RECONCILERS 1
#endif
#ifndef FLAKY
#define FLAKY WRITERS
#endif
#include "stores.pml"

/* Slots: the outbox's entries come first, then the copy's writes. */
#define SCAN_ENTRY 3
#define COPY_SLOT(id) (4 + (id))

/* The outbox: (:EmbeddingChange). Whoever made or claimed an entry holds it until its lease ends. */
#define COURIER 1
bool entry[4];
byte holder[4];
bool expired[4];
#ifdef ONE_OWNER_A_PROCESS
#define OWNER(who) 1
#else
#define OWNER(who) who
#endif
#if defined(LATE_DEADLINE) || defined(NO_CLAIM)
#define MAY_SEND(e, who) true
#else
#define MAY_SEND(e, who) (holder[e] == who && !expired[e])
#endif

/* The checkpoint, on the disk. */
bool copied[IDS];
bool in_flight[IDS];

byte writers_done;
bool copy_done, outsider_done, scan_done;

#ifdef CLUSTER
bool moved;
byte old_version[IDS], old_value[IDS], old_changes[IDS];
#define BOOKMARK byte seen;
#define LOOK_AT_VERSION(to, id) \
  if :: atomic { true -> to = version[id]; seen = changes[id] } :: atomic { moved -> to = old_version[id]; seen = 0 } fi
#ifdef NO_BOOKMARK
#define LOOK_AT_VALUE(to, id) if :: to = value[id] :: moved -> to = old_value[id] fi
#else
#define LOOK_AT_VALUE(to, id) if :: to = value[id] :: moved && seen <= old_changes[id] -> to = old_value[id] fi
#endif
#else
#define BOOKMARK
#define LOOK_AT_VERSION(to, id) to = version[id]
#define LOOK_AT_VALUE(to, id) to = value[id]
#endif

/* Versions, then vectors. What was absent at the first look is erased, whatever the second sees. */
inline read(id, ver, val) {
#ifdef TORN
  LOOK_AT_VALUE(val, id);
  LOOK_AT_VERSION(ver, id);
#else
  LOOK_AT_VERSION(ver, id);
  LOOK_AT_VALUE(val, id);
#endif
#ifndef WRITE_ABSENT
  if :: ver == 0 -> val = 0 :: else fi
#endif
}

/* ---- World ---- */

#ifdef LATE_DEADLINE
#define EXPIRE(e) atomic { holder[e] != 0 && !expired[e] && entry[e] -> expired[e] = true }
#else
#define EXPIRE(e) atomic { holder[e] != 0 && !expired[e] && (entry[e] || phase[e] == 1) -> expired[e] = true; DEADLINE_PASSES(e) }
#endif

proctype World() {
end:
  do
#if FLAKY > 0
  :: APPLY(0)
  :: EXPIRE(0)
#endif
#if FLAKY > 1
  :: APPLY(1)
  :: EXPIRE(1)
#endif
#if FLAKY > 2
  :: APPLY(2)
  :: EXPIRE(2)
#endif
#ifdef ANTI_ENTROPY
  :: APPLY(SCAN_ENTRY)
  :: EXPIRE(SCAN_ENTRY)
#endif
#ifdef BACKFILL
  :: APPLY(COPY_SLOT(0))
#if IDS > 1
  :: APPLY(COPY_SLOT(1))
#endif
#endif
#ifdef CLUSTER
  :: atomic { !moved -> moved = true; old_version[0] = version[0]; old_value[0] = value[0]; old_changes[0] = changes[0] }
#endif
  :: false
  od
}

/* ---- The outbox ---- */

inline make_entry(e, who) {
  entry[e] = true;
  holder[e] = who;
  expired[e] = false
}

/* Deletes the entry where `who` still owns it. */
inline retire(e, who) {
#ifdef RETIRE_ALL
  entry[0] = false;
  entry[1] = false
#elif defined(NO_CLAIM)
  entry[e] = false
#else
  if
  :: entry[e] && OWNER(holder[e]) == OWNER(who) ->
     entry[e] = false;
     if :: holder[e] == who -> holder[e] = 0; expired[e] = false :: else fi
  :: else
  fi
#endif
}

/* Settlement: one write transaction. Goes to `again`, `settled` or `gone` of the caller. */
inline settle(e, who, id, ver, may_fail) {
#ifdef NO_CHECK
  if :: atomic { retire(e, who); goto settled } :: may_fail -> goto failed fi
#elif defined(TWO_TRANSACTIONS)
  LOOK_AT_VERSION(val, id);
  if :: val != ver -> goto again :: atomic { val == ver -> retire(e, who); goto settled } :: may_fail -> goto failed fi
#elif defined(RETIRE_LOOKS_BEFORE_LOCK)
  if
  :: version[id] != ver -> goto again
  :: version[id] == ver && entry[e] && holder[e] == who -> entry[e] = false; goto settled
  :: version[id] == ver && !(entry[e] && holder[e] == who) -> goto settled
  :: may_fail -> goto failed
  fi
#else
  if
  :: version[id] != ver -> goto again
  :: atomic { version[id] == ver -> retire(e, who); goto settled }
  :: may_fail -> goto failed
  fi
#endif
}

proctype Writer(byte e) {
  byte id, ver, val;
  BOOKMARK
#ifdef NO_LOCK
  byte before = version[0];
#endif
  atomic {
    if :: id = 0 :: IDS > 1 -> id = 1 fi;
    item[e] = id;
    if
    :: goto settled /* fewer writers */
    :: put(id)
#ifdef NO_LOCK
       ; version[id] = before + 1
#endif
    :: version[id] != 0 -> erase(id)
    fi;
#ifndef ENTRY_LATER
    make_entry(e, COURIER)
#endif
  };
#ifdef ENTRY_LATER
  if :: make_entry(e, COURIER) :: goto settled fi;
#endif
again:
  read(id, ver, val);
  if
  :: atomic { e >= FLAKY || MAY_SEND(e, COURIER) -> ACKNOWLEDGED(id, ver, val) }
  :: atomic { e < FLAKY && MAY_SEND(e, COURIER) && phase[e] == 0 -> ON_ITS_WAY(e, ver, val) };
#ifdef RETRY_AT_ONCE
     if :: goto again :: goto failed fi
#else
     goto failed
#endif
  :: e < FLAKY -> goto failed
  fi;
  settle(e, COURIER, id, ver, true);
failed:
  if :: e >= FLAKY -> goto again :: e < FLAKY fi; /* the entry stays */
settled:
  atomic {
#ifdef DROP_ENTRY
    entry[e] = false;
#endif
    id = 0; ver = 0; val = 0; writers_done++
  }
}

#ifdef NO_CLAIM
#define CLAIM(x) atomic { entry[x] && expired[x] -> e = x; id = item[x] }
#elif defined(LOOK_BEFORE_LOCK)
#define CLAIM(x) atomic { entry[x] && expired[x] -> e = x; id = item[x] }; atomic { holder[e] = me; expired[e] = false }
#else
#define CLAIM(x) atomic { entry[x] && expired[x] -> e = x; id = item[x]; holder[x] = me; expired[x] = false }
#endif

proctype Reconciler(byte me) {
  byte e, id, ver, val;
  BOOKMARK
end:
  do
  :: CLAIM(0) -> break
  :: CLAIM(1) -> break
#if WRITERS > 2
  :: CLAIM(2) -> break
#endif
#ifdef ANTI_ENTROPY
  :: CLAIM(SCAN_ENTRY) -> break
#endif
  od;
#ifndef NO_PROBE
  if :: SETTLED(e) :: goto failed fi;
#endif
again:
  read(id, ver, val);
  if
  :: atomic { MAY_SEND(e, me) -> ACKNOWLEDGED(id, ver, val) }
  :: atomic { MAY_SEND(e, me) && phase[e] == 0 -> ON_ITS_WAY(e, ver, val); goto failed }
  :: !MAY_SEND(e, me) -> goto settled /* its time is over */
  :: goto failed
  fi;
  settle(e, me, id, ver, true);
settled:
  atomic { e = 0; id = 0; ver = 0; val = 0; goto end };
failed: /* the entry stays */
  goto settled
}

/* ---- The copy ---- */

inline wait_out(id) {
#ifndef NO_WAIT
  atomic { DEADLINE_PASSES(COPY_SLOT(id)) };
#ifndef NO_PROBE_BY_COPY
  SETTLED(COPY_SLOT(id))
#else
  skip
#endif
#else
  skip
#endif
}

/* Each run starts at `start`, and so does the next one after it was killed. */
proctype Backfill() {
  byte id, ver, val, row;
  bool sweeping;
  BOOKMARK
start:
  atomic { id = 0; ver = 0; val = 0; row = 0; sweeping = false };
next_id:
  if
  :: id == IDS && !sweeping -> atomic { id = 0; sweeping = true }
  :: id == IDS && sweeping -> goto done
  :: else
  fi;
  if
  :: !sweeping && in_flight[id] ->
#ifdef FORGETFUL
     in_flight[id] = false;
     if :: goto start :: skip fi;
#endif
     wait_out(id)
  :: !sweeping && !in_flight[id] && copied[id] -> id++; goto next_id
  :: !sweeping && !in_flight[id] && !copied[id]
  :: sweeping ->
#ifndef NO_SWEEP
     row = milvus[id];
#ifdef STALE_SWEEP
     LOOK_AT_VERSION(ver, id);
#else
     ver = version[id]; /* after a bookmark of this run */
#endif
     if
#ifdef UNORDERED
     :: row != 0 && ver == 0
#else
     :: VERSION_OF(row) != ver
#endif
     :: else -> atomic { row = 0; ver = 0; id++ }; goto next_id
     fi;
     row = 0
#else
     id++; goto next_id
#endif
  fi;
#if defined(SWEEP_UNRECORDED)
  if :: !sweeping -> in_flight[id] = true :: else fi;
#elif !defined(NO_RECORD)
  in_flight[id] = true;
#endif
  read(id, ver, val);
  if
  :: ver == 0 && !sweeping -> goto in_place /* a scan does not meet it */
  :: else
  fi;
again:
  if
  :: ACKNOWLEDGED(id, ver, val)
  :: atomic { phase[COPY_SLOT(id)] == 0 -> ON_ITS_WAY(COPY_SLOT(id), ver, val) };
     if
     :: goto start
     :: wait_out(id); read(id, ver, val); goto again
     fi
  :: goto start
  fi;
#ifdef NO_CHECK
  if :: goto in_place :: goto start fi;
#else
#ifdef PLAIN_CHECK
  LOOK_AT_VERSION(row, id);
#define NOW row
#else
#define NOW version[id]
#endif
  if
  :: NOW != ver -> row = 0; read(id, ver, val); goto again
  :: NOW == ver -> row = 0
  :: goto start
  fi;
#endif
in_place:
  atomic { copied[id] = true; in_flight[id] = false; ver = 0; val = 0; id++ };
  goto next_id;
done:
  atomic { copy_done = true; id = 0; sweeping = false }
}

/* ---- Outside writers and the scan ---- */

proctype Outsider() {
  atomic {
    if :: put(0) :: version[0] != 0 -> erase(0) fi;
    outsider_done = true
  }
}

/* One look at any time, one when the outside writer is done. */
proctype AntiEntropy() {
  byte row, ver, val;
  bool last;
  BOOKMARK
  if :: skip :: outsider_done -> last = true fi;
look:
  row = milvus[0];
  ver = version[0];
  if
  :: VERSION_OF(row) != ver ->
#ifdef SCAN_WRITES
again:
     read(0, ver, val);
     if
     :: ACKNOWLEDGED(0, ver, val);
        if :: version[0] != ver -> goto again :: version[0] == ver fi
     :: atomic { phase[SCAN_ENTRY] == 0 -> ON_ITS_WAY(SCAN_ENTRY, ver, val) } /* it dies; another scan begins */
     fi
#elif defined(SCAN_MERGES)
     atomic { if :: !entry[SCAN_ENTRY] -> make_entry(SCAN_ENTRY, COURIER); expired[SCAN_ENTRY] = true :: else fi }
#else
     atomic { !entry[SCAN_ENTRY] -> make_entry(SCAN_ENTRY, COURIER); expired[SCAN_ENTRY] = true }
#endif
  :: else
  fi;
  atomic { row = 0; ver = 0; val = 0 };
  if
  :: atomic { last -> scan_done = true }
  :: atomic { !last && outsider_done -> last = true; goto look }
  fi
}

/* At rest nothing is owed, nobody writes, and nothing is on its way. */
#define AT_REST (writers_done == WRITERS && copy_done && outsider_done && scan_done \
  && !entry[0] && !entry[1] && !entry[2] && !entry[3] \
  && !phase[0] && !phase[1] && !phase[2] && !phase[3] && !phase[4] && !phase[5])

init {
  atomic {
#ifndef ABSENT
    put(0);
#if IDS > 1
    put(1);
#endif
#ifndef BACKFILL
    milvus[0] = ROW(version[0], value[0]);
#if IDS > 1
    milvus[1] = ROW(version[1], value[1]);
#endif
#endif
#endif
    item[COPY_SLOT(1)] = 1;
    run World();
    run Writer(0);
    run Writer(1);
#if WRITERS > 2
    run Writer(2);
#endif
#if RECONCILERS > 0
    run Reconciler(2);
#endif
#if RECONCILERS > 1
    run Reconciler(3);
#endif
#ifdef BACKFILL
    run Backfill();
#else
    copy_done = true;
#endif
#ifdef ANTI_ENTROPY
    run Outsider();
#ifndef NO_SCAN
    run AntiEntropy();
#else
    scan_done = true;
#endif
#else
    outsider_done = true;
    scan_done = true;
#endif
  };
  atomic {
    AT_REST ->
    assert_equal(0);
#if IDS > 1
    assert_equal(1);
#endif
  }
}
