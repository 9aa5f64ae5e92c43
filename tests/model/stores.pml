/* Neo4j and Milvus as the protocol sees them; included by sync.pml.
 *
 * A value stands for a vector with its properties. Each change makes a new one, so that they can be told apart: value n
 * is the n-th change of its id; 0 is "no such row". Its version is n too; a mutation breaks that.
 *
 * Milvus has no compare-and-set: a write replaces the row, whatever it was. A row is (version, value), packed in a byte.
 * A write that is acknowledged is one step: whatever happens between its sending and its being applied might as well
 * have happened before, and between that and the answer, after. A write of unknown outcome lies in a slot until it is
 * applied:
 *   phase 1  on its way: it may arrive until its deadline
 *   phase 2  Milvus has it and may apply it late, being slow or stopped (SIGSTOP); but no later than a settling time
 *            after an answer to a call that was made after the deadline
 * One that never arrives is one that was not sent.
 */
#ifndef IDS
#define IDS 1
#endif
#define SLOTS 7

#define ROW(version, value) ((version) * 16 + (value))
#define VERSION_OF(row) ((row) / 16)
#define VALUE_OF(row) ((row) % 16)

byte version[IDS]; /* Neo4j; 0 = no such node */
byte value[IDS];
byte changes[IDS]; /* a clock */
byte milvus[IDS];

byte item[SLOTS];  /* whose row the slot's write is */
byte phase[SLOTS];
byte late[SLOTS];

/* src/neo4j/media_writer.cpp: one transaction, the node's lock first, then a version that never was before. */
inline put(id) {
  changes[id]++;
#ifdef ABA
  version[id]++; /* begins anew after a delete */
#else
  version[id] = changes[id];
#endif
  value[id] = changes[id]
}
inline erase(id) {
  changes[id]++;
  version[id] = 0;
  value[id] = 0
}

#define ACKNOWLEDGED(id, ver, val) milvus[id] = ROW(ver, val)
#ifdef FAITHFUL /* else this would be found first */
#define ON_ITS_WAY(slot, ver, val) sent_unsettled = phase[slot] != 0; assert(!sent_unsettled); phase[slot] = 1; late[slot] = ROW(ver, val)
#define MAY_GO(slot) true
bool sent_unsettled;
#else
#define ON_ITS_WAY(slot, ver, val) phase[slot] = 1; late[slot] = ROW(ver, val)
#define MAY_GO(slot) (phase[slot] == 0)
#endif
#define APPLY(slot) atomic { phase[slot] != 0 -> milvus[item[slot]] = late[slot]; phase[slot] = 0; late[slot] = 0 }
/* Nothing sent under this slot has a deadline beyond this moment. */
#define DEADLINE_PASSES(slot) if :: phase[slot] == 1 -> phase[slot] = 2 :: else fi
/* Milvus has answered a call made now, and a settling time is over (src/sync/target_outage.cpp, wait_out). */
#define SETTLED(slot) (phase[slot] != 2)

/* The properties. ONLY_… checks one of them: what a mutation breaks does not depend on the order of the search. */
#if !defined(ONLY_LOST) && !defined(ONLY_RESURRECTED) && !defined(ONLY_UNEQUAL)
#define ONLY_LOST
#define ONLY_RESURRECTED
#define ONLY_UNEQUAL
#endif
bool lost, resurrected, unequal;
inline judge(id) {
#ifdef ONLY_LOST
  lost = value[id] != 0 && milvus[id] == 0;
  assert(!lost);
#endif
#ifdef ONLY_RESURRECTED
  resurrected = value[id] == 0 && milvus[id] != 0;
  assert(!resurrected);
#endif
#ifdef ONLY_UNEQUAL
  unequal = value[id] != VALUE_OF(milvus[id]);
  assert(!unequal);
#endif
}
