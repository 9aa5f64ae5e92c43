/* Writers, couriers, reconcilers, copies and the anti-entropy scan around the one way to write Milvus.
 *
 *   Writer        one change and its delivery: src/neo4j/media_writer.cpp, src/engine/courier.cpp and delivery.cpp
 *   Reconciler    src/engine/reconciler.cpp; claim and version check: src/neo4j/change_log.cpp
 *   Backfill      src/migration/copy/backfill.cpp, copy_pipeline.cpp, fenced_version_check.cpp; its lease: src/neo4j/lease.cpp;
 *                 its sweep: src/sync/sweep.cpp
 *   AntiEntropy   src/engine/anti_entropy.cpp
 *   Outsider      a program that writes Neo4j around the engine
 *   Stranger      an engine of another label on the same database, whose rows are another collection's
 *   World         time and faults: leases end, Milvus applies late writes, Neo4j's leader moves
 * Each of them reads, writes and checks as src/sync/sync.cpp does.
 *
 * Configuration: WRITERS (1 to 3), RECONCILERS (0 to 2), IDS (1 or 2), FLAKY (how many of the writers may fail),
 * RUNS (0 to 2 copies at a time; each may die, and the next begins in its place), UNORDERED (Neo4j has no index on the
 * id), STRANGER (with an entry of its own in the outbox), CLUSTER (what is read outside a write transaction may come from a former leader of Neo4j), ANTI_ENTROPY (with an
 * Outsider). What is abstracted, and the mutations: README.md.
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
#ifndef RUNS
#define RUNS 0
#endif
#include "stores.pml"

/* Slots: the outbox's entries come first, then the copies' writes. */
#define SCAN_ENTRY 3
#define ENTRIES 5
#define STRANGERS_ENTRY 2
#define COPY_SLOT(id) (ENTRIES + (id))

/* The outbox: (:EmbeddingChange). Whoever made or claimed an entry holds it until its lease ends. A process here holds one
 * entry at a time, so its number serves as the fresh token of each claim. */
#define COURIER 1
bool entry[ENTRIES];
byte holder[ENTRIES];
bool expired[ENTRIES];
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

/* An entry carries its collection, and each engine asks for its own: the index is on (collection, lease). */
#ifdef CLAIMS_ANOTHERS
#define MAY_CLAIM(e, stranger) true
#else
#define MAY_CLAIM(e, stranger) (((e) == STRANGERS_ENTRY) == stranger)
#endif
bool strangers_row_owed;

/* (:CrossoverLease {owner, expires_at, writes_until}) */
byte owner;
bool lapsed; /* expires_at is over */
bool debt;   /* writes_until, where nobody owns it: former holders' writes may be on their way */

byte writers_done;
bool copy_done; /* the last run that took the lease has said so */
#ifdef UNORDERED_RESUMES
bool scanned;   /* a checkpoint says that a run has come to its sweep */
#endif
bool outsider_done, scan_done;

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

inline copy_deadlines_pass() {
  DEADLINE_PASSES(COPY_SLOT(0));
#if IDS > 1
  DEADLINE_PASSES(COPY_SLOT(1));
#endif
}
#if IDS > 1
#define COPIES_SETTLED (SETTLED(COPY_SLOT(0)) && SETTLED(COPY_SLOT(1)))
#else
#define COPIES_SETTLED SETTLED(COPY_SLOT(0))
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
#ifdef STRANGER
  :: APPLY(STRANGERS_ENTRY)
  :: EXPIRE(STRANGERS_ENTRY)
#endif
#ifdef ANTI_ENTROPY
  :: APPLY(SCAN_ENTRY)
  :: EXPIRE(SCAN_ENTRY)
  :: APPLY(SCAN_ENTRY + 1)
  :: EXPIRE(SCAN_ENTRY + 1)
#endif
#if RUNS > 0
  :: APPLY(COPY_SLOT(0))
#if IDS > 1
  :: APPLY(COPY_SLOT(1))
#endif
  :: atomic { owner != 0 && !lapsed -> lapsed = true;
#ifndef DEADLINE_BEYOND_LEASE
       copy_deadlines_pass()
#endif
     }
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

/* Locks the entry, looks whether `who` still owns it, and deletes it. */
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

/* Settlement: one write transaction, which looks at the versions, then retires. Goes to `again`, `settled` or `failed` of
 * the caller. */
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
  :: version[id] == ver -> atomic { retire(e, who); goto settled }
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
  :: atomic { e < FLAKY && MAY_SEND(e, COURIER) && MAY_GO(e) -> ON_ITS_WAY(e, ver, val) };
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

/* Lock, then look, in two statements. */
#ifdef NO_CLAIM
#define CLAIM(x) atomic { entry[x] && expired[x] -> e = x; id = item[x] }
#elif defined(LOOK_BEFORE_LOCK)
#define CLAIM(x) atomic { entry[x] && expired[x] -> e = x; id = item[x] }; atomic { holder[e] = me; expired[e] = false }
#else
#define CLAIM(x) atomic { entry[x] && expired[x] -> e = x; id = item[x]; holder[x] = me; expired[x] = false }
#endif
#ifdef STRANGER
#define CLAIM_OF(x, stranger) atomic { entry[x] && expired[x] && MAY_CLAIM(x, stranger) -> e = x; holder[x] = me; expired[x] = false }

/* Under its own label there is no such id: of an entry that is not its own it would make no row, erase nothing that is
 * ours, and retire it. */
proctype Stranger(byte me) {
  byte e;
end:
  do
  :: CLAIM_OF(0, true) -> break
  :: CLAIM_OF(1, true) -> break
  :: CLAIM_OF(STRANGERS_ENTRY, true) -> break
  od;
  if
  :: atomic { MAY_SEND(e, me) -> if :: e == STRANGERS_ENTRY -> strangers_row_owed = false :: else fi };
     atomic { retire(e, me) }
  :: skip /* it fails: the entry stays */
  fi;
  atomic { e = 0; goto end }
}
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
#ifdef STRANGER
  :: CLAIM_OF(STRANGERS_ENTRY, false) -> id = 0; break
#endif
#ifdef ANTI_ENTROPY
  :: CLAIM(SCAN_ENTRY) -> break
  :: CLAIM(SCAN_ENTRY + 1) -> break
#endif
  od;
#ifndef NO_PROBE
  if :: SETTLED(e) :: goto failed fi;
#endif
again:
  read(id, ver, val);
  if
  :: atomic { MAY_SEND(e, me) -> ACKNOWLEDGED(id, ver, val) }
  :: atomic { MAY_SEND(e, me) && MAY_GO(e) -> ON_ITS_WAY(e, ver, val); goto failed }
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

#ifdef DEADLINE_BEYOND_LEASE
#define MAY_WRITE(me) true
#else
#define MAY_WRITE(me) (owner == me && !lapsed)
#endif
#ifdef NO_FENCE
#define HOLDS(me) true
#else
#define HOLDS(me) (owner == me)
#endif

/* Deadlines, then a probe and a settling time. */
inline wait_out_former() {
#ifdef PROBE_BEFORE_DEADLINES
  COPIES_SETTLED;
  atomic { copy_deadlines_pass() }
#elif defined(TAKER_WAITS_NO_DEADLINE)
  COPIES_SETTLED
#elif defined(TAKER_DOES_NOT_PROBE)
  atomic { copy_deadlines_pass() }
#else
  atomic { copy_deadlines_pass() };
  COPIES_SETTLED
#endif
}
inline wait_out_own(id) {
#ifdef NO_WAIT
  skip
#elif defined(NO_PROBE_BY_COPY)
  atomic { DEADLINE_PASSES(COPY_SLOT(id)) }
#else
  atomic { DEADLINE_PASSES(COPY_SLOT(id)) };
  SETTLED(COPY_SLOT(id))
#endif
}

/* Each run starts at `start`, and so does the next one. A paused run takes no step for a while; a killed one leaves the
 * lease as it is; one that is stopped, or fails, gives it up. */
proctype Backfill(byte me) {
  byte id, ver, val, row;
  bool sweeping, owing; /* owing: writes of unknown outcome are out, a former holder's or our own */
  BOOKMARK
#ifdef CLUSTER
  byte floor; /* a bookmark: scans see at least this much */
#endif
start:
  atomic { id = 0; ver = 0; val = 0; row = 0; sweeping = false; owing = false };
  if
  :: copy_done -> goto out
  :: atomic { owner == 0 || owner == me || lapsed ->  /* free; its owner is known dead; its time is over */
       owing = debt || owner != 0
#ifdef LEASE_LOOKS_BEFORE_LOCK
     };
     atomic { true
#endif
       ;
       debt = owing;
       owner = me; lapsed = false;
       copy_done = false;
#ifdef TAKER_DOES_NOT_WAIT
       owing = false;
#endif
#ifdef CLUSTER
       floor = changes[0];
#endif
     }
  fi;
#if !defined(WAIT_ONLY_IN_COPY) && !defined(WAIT_BEFORE_WRITES_ONLY)
  if
  :: owing -> wait_out_former(); owing = false
  :: owing -> goto stopped
  :: owing -> goto start
  :: !owing
  fi;
#endif
next_id:
  if
  :: id == IDS && !sweeping -> atomic { id = 0; sweeping = true;
#ifdef UNORDERED_RESUMES
       scanned = true;
#endif
#if defined(CLUSTER) && !defined(BOOKMARK_OF_THE_TAKING)
       floor = changes[0];
#endif
     }
  :: id == IDS && sweeping -> goto done
  :: else
  fi;
  if
#ifndef UNORDERED
  :: !sweeping -> id++; goto next_id /* copied, says a checkpoint */
#elif defined(UNORDERED_RESUMES)
  :: !sweeping && id == 0 && scanned -> id = IDS; goto next_id
#endif
  :: !sweeping
#ifdef WAIT_ONLY_IN_COPY
     -> if :: owing -> wait_out_former(); owing = false :: !owing fi
#endif
  :: sweeping ->
#ifndef NO_SWEEP
     row = milvus[id];
#ifdef STALE_SWEEP
     LOOK_AT_VERSION(ver, id);
#elif defined(CLUSTER)
     if :: ver = version[id] :: moved && floor <= old_changes[id] -> ver = old_version[id] fi;
#else
     ver = version[id];
#endif
     if
#ifdef UNORDERED
     :: row != 0 && VERSION_OF(row) != ver
#elif defined(NO_REVERSE_SWEEP)
     :: VERSION_OF(row) != ver && ver != 0
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
#ifdef WAIT_BEFORE_WRITES_ONLY
  if :: owing -> wait_out_former(); owing = false :: !owing fi;
#endif
#if defined(CLUSTER) && defined(UNORDERED) && !defined(SCAN_WITHOUT_BOOKMARK)
  if
  :: sweeping -> LOOK_AT_VERSION(ver, id)
  :: atomic { !sweeping -> ver = version[id]; seen = changes[id] }
  :: atomic { !sweeping && moved && floor <= old_changes[id] -> ver = old_version[id]; seen = 0 }
  fi;
  LOOK_AT_VALUE(val, id);
  if :: ver == 0 -> val = 0 :: else fi;
#else
  read(id, ver, val);
#endif
  if
  :: ver == 0 && !sweeping -> goto in_place /* a scan does not meet it */
  :: else
  fi;
again:
  if
  :: atomic { MAY_WRITE(me) -> ACKNOWLEDGED(id, ver, val) }
  :: atomic { MAY_WRITE(me) && MAY_GO(COPY_SLOT(id)) -> ON_ITS_WAY(COPY_SLOT(id), ver, val); owing = true };
     if
     :: goto start
     :: goto stopped
     :: wait_out_own(id); owing = false; read(id, ver, val); goto again
     fi
  :: atomic { owner == me && lapsed -> lapsed = false; goto again } /* renews */
  :: owner != me -> goto start /* deposed */
  :: goto start
  :: goto stopped
  fi;
/* Settlement: one write transaction, which renews the lease and looks at the versions. */
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
  :: atomic { HOLDS(me) && NOW != ver -> row = 0; if :: owner == me -> lapsed = false :: else fi };
     read(id, ver, val); goto again
  :: atomic { HOLDS(me) && NOW == ver -> row = 0; if :: owner == me -> lapsed = false :: else fi }
  :: !HOLDS(me) -> goto start
  :: goto start
  :: goto stopped
  fi;
#endif
in_place:
  atomic { ver = 0; val = 0; id++; goto next_id };
done: /* the barrier at the end, a write transaction under the lease */
  if
  :: atomic {
#ifdef DONE_UNFENCED
       true
#else
       HOLDS(me)
#endif
       -> copy_done = true }
  :: !HOLDS(me) -> goto start
  fi;
stopped:
  if
  :: atomic { owner == me ->
       owner = 0; lapsed = false;
#if defined(CLEAN_RELEASE_ALWAYS)
       debt = false;
#elif defined(DEBT_FORGOTTEN_BY_SECOND_TAKER)
       debt = owing && !debt;
#else
       debt = owing;
#endif
     }
  :: true /* killed, or Neo4j can't be reached */
  fi;
  goto start;
out:
  atomic { id = 0; sweeping = false; owing = false }
}

/* ---- Outside writers and the scan ---- */

proctype Outsider() {
  atomic {
    if :: put(0) :: version[0] != 0 -> erase(0) fi;
    outsider_done = true
  }
}

/* One look at any time, one when the outside writer is done. It writes no row: each look makes an entry of its own. */
proctype AntiEntropy() {
  byte row, ver, val, look;
  bool last;
  BOOKMARK
  if :: skip :: outsider_done -> last = true fi;
look_once:
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
     atomic { make_entry(SCAN_ENTRY + look, COURIER); expired[SCAN_ENTRY + look] = true }
#endif
  :: else
  fi;
  atomic { row = 0; ver = 0; val = 0; look = 1 };
  if
  :: atomic { last -> scan_done = true; look = 0 }
  :: atomic { !last && outsider_done -> last = true; goto look_once }
  fi
}

/* At rest nothing is owed, nobody writes, and nothing is on its way. */
#define AT_REST (writers_done == WRITERS && copy_done && outsider_done && scan_done \
  && !entry[0] && !entry[1] && !entry[2] && !entry[3] && !entry[4] \
  && !phase[0] && !phase[1] && !phase[2] && !phase[3] && !phase[4] && !phase[5] && !phase[6])

init {
  atomic {
#ifdef CLUSTER
    if :: moved = true :: skip fi; /* it moved before anything was there */
#endif
#ifndef ABSENT
    put(0);
#if IDS > 1
    put(1);
#endif
#if RUNS == 0
    milvus[0] = ROW(version[0], value[0]);
#if IDS > 1
    milvus[1] = ROW(version[1], value[1]);
#endif
#endif
#endif
#if IDS > 1
    item[COPY_SLOT(1)] = 1;
#endif
    run World();
    run Writer(0);
#if WRITERS > 1
    run Writer(1);
#endif
#if WRITERS > 2
    run Writer(2);
#endif
#if RECONCILERS > 0
    run Reconciler(2);
#endif
#if RECONCILERS > 1
    run Reconciler(3);
#endif
#ifdef STRANGER
    make_entry(STRANGERS_ENTRY, COURIER);
    expired[STRANGERS_ENTRY] = true;
    strangers_row_owed = true;
    run Stranger(4);
#endif
#if RUNS > 0
    run Backfill(1);
#else
    copy_done = true;
#endif
#if RUNS > 1
    run Backfill(2);
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
#if defined(STRANGER) && defined(ONLY_LOST)
    lost = strangers_row_owed;
    assert(!lost);
#endif
    judge(0);
#if IDS > 1
    judge(1);
#endif
  }
}
