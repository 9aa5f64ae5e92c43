#include "neo4j/replicas.h"

#include "neo4j/cypher.h"

namespace crossover::neo4j {

namespace {

// `seen_at` is Neo4j's timestamp() in milliseconds.
constexpr std::int64_t kAliveMs = std::chrono::milliseconds(Heartbeat::kTimeToLive).count();

constexpr const char* kConstraint =
    "CREATE CONSTRAINT crossover_epoch_collection IF NOT EXISTS FOR (e:CaptureEpoch) REQUIRE e.collection IS "
    "UNIQUE";

// An earlier release's replicas and epoch carry no collection: they count for each one. (Its engines lock,
// and raise, all that bear the label.)

// Whatever reads or changes a collection's epoch or a mode takes this lock first.
constexpr const char* kLockEpoch =
    "MERGE (e:CaptureEpoch {collection: $collection}) SET e.number = coalesce(e.number, 0), e.locked_at = "
    "timestamp()";
constexpr const char* kNextEpoch =
    "MATCH (e:CaptureEpoch {collection: $collection}) SET e.number = e.number + 1";
constexpr const char* kNextEpochOfAll = "MATCH (e:CaptureEpoch) SET e.number = e.number + 1";
constexpr const char* kEpoch =
    "MATCH (e:CaptureEpoch) WHERE e.collection = $collection OR e.collection IS NULL RETURN sum(e.number)";
// Whether one of the dead wrote uncaptured to its end.
constexpr const char* kBury =
    "MATCH (r:EngineReplica {collection: $collection}) WHERE r.seen_at <= timestamp() - $alive "
    "WITH r, r.mode = 'neo4j_only' AS uncaptured "
    "DELETE r RETURN count(CASE WHEN uncaptured THEN 1 END) > 0";
constexpr const char* kBuryUnowned =
    "MATCH (r:EngineReplica) WHERE r.collection IS NULL AND r.seen_at <= timestamp() - $alive "
    "WITH r, r.mode = 'neo4j_only' AS uncaptured "
    "DELETE r RETURN count(CASE WHEN uncaptured THEN 1 END) > 0";
constexpr const char* kLiving =
    "MATCH (r:EngineReplica) WHERE r.collection = $collection OR r.collection IS NULL "
    "RETURN r.id, r.mode ORDER BY r.id";
constexpr const char* kBeat =
    "MERGE (r:EngineReplica {id: $id}) WITH r, coalesce(r.mode, '') AS former "
    "SET r.collection = $collection, r.mode = $mode, r.seen_at = timestamp() "
    "RETURN former <> $mode AND 'neo4j_only' IN [former, $mode]";
constexpr const char* kWithdraw =
    "MATCH (r:EngineReplica {id: $id}) WITH r, r.mode = 'neo4j_only' AS uncaptured DELETE r RETURN "
    "count(CASE WHEN uncaptured THEN 1 END) > 0";

/// Runs a statement that says whether an epoch begins with it, behind the lock of the collection's.
void run_and_begin_epoch(bolt::Transaction& transaction, const std::string& collection, const char* statement,
                         const bolt::Parameters& parameters) {
    transaction.run(kLockEpoch, {{"collection", collection}}).consume();
    if (transaction.run(statement, parameters).single()[0] == bolt::Value(true)) {
        transaction.run(kNextEpoch, {{"collection", collection}}).consume();
    }
}

}  // namespace

void prepare_epochs(bolt::Driver& driver, const std::string& database) {
    driver.session({.database = database}).run(kConstraint).consume();
}

Barrier look_at_barrier(bolt::Transaction& transaction, const std::string& collection) {
    run_and_begin_epoch(transaction, collection, kBury, {{"collection", collection}, {"alive", kAliveMs}});
    if (transaction.run(kBuryUnowned, {{"alive", kAliveMs}}).single()[0] == bolt::Value(true)) {
        transaction.run(kNextEpochOfAll).consume();
    }
    Barrier barrier;
    for (const auto& row : transaction.run(kLiving, {{"collection", collection}}).collect()) {
        barrier.living.push_back({text_of(row[0]), text_of(row[1])});
    }
    barrier.epoch = integer_of(transaction.run(kEpoch, {{"collection", collection}}).single()[0]);
    return barrier;
}

Heartbeat::Heartbeat(bolt::Driver& driver, std::string database, std::string collection, std::string id)
    : driver_(driver),
      database_(std::move(database)),
      collection_(std::move(collection)),
      id_(std::move(id)) {}

void Heartbeat::write_and_begin_epoch(const char* statement, const bolt::Parameters& parameters,
                                      Deadline deadline) {
    driver_.session({.database = database_, .deadline = deadline})
        .execute_write([&](bolt::Transaction& transaction) {
            run_and_begin_epoch(transaction, collection_, statement, parameters);
        });
}

void Heartbeat::beat(std::string_view mode, Deadline deadline) {
    const auto before = Deadline::Clock::now();
    write_and_begin_epoch(kBeat, {{"collection", collection_}, {"id", id_}, {"mode", mode}}, deadline);
    beaten_at_ = before;
}

void Heartbeat::withdraw(Deadline deadline) {
    write_and_begin_epoch(kWithdraw, {{"id", id_}}, deadline);
}

Deadline Heartbeat::limit() const {
    return Deadline::at(beaten_at_.load() + kTimeToLive);
}

Deadline::Clock::duration Heartbeat::age() const {
    return Deadline::Clock::now() - beaten_at_.load();
}

}  // namespace crossover::neo4j
