#include "neo4j/replicas.h"

namespace crossover::neo4j {

namespace {

// `seen_at` is Neo4j's timestamp() in milliseconds.
constexpr std::int64_t kAliveMs = std::chrono::milliseconds(Heartbeat::kTimeToLive).count();

constexpr const char* kNextEpoch =
    "MERGE (e:CaptureEpoch) ON CREATE SET e.number = 1 ON MATCH SET e.number = e.number + 1";
// Whether one of the dead wrote uncaptured to its end.
constexpr const char* kBury =
    "MATCH (r:EngineReplica) WHERE r.seen_at <= timestamp() - $alive WITH r, r.mode = 'neo4j_only' AS "
    "uncaptured "
    "DELETE r RETURN count(CASE WHEN uncaptured THEN 1 END) > 0";

bolt::Session open_session(bolt::Driver& driver, const std::string& database) {
    bolt::SessionConfig config;
    config.database = database;
    return driver.session(std::move(config));
}

}  // namespace

std::vector<Replica> living_replicas(bolt::Driver& driver, const std::string& database) {
    auto session = open_session(driver, database);
    std::vector<Replica> replicas;
    for (const auto& row :
         session
             .run("MATCH (r:EngineReplica) WHERE r.seen_at > timestamp() - $alive RETURN r.id, r.mode "
                  "ORDER BY r.id",
                  {{"alive", kAliveMs}})
             .collect()) {
        const auto* id = row[0].get_if<std::string>();
        const auto* mode = row[1].get_if<std::string>();
        replicas.push_back({id != nullptr ? *id : "unnamed", mode != nullptr ? *mode : "unknown"});
    }
    return replicas;
}

std::int64_t capture_epoch(bolt::Driver& driver, const std::string& database) {
    auto session = open_session(driver, database);
    const auto row = session.run("MATCH (e:CaptureEpoch) RETURN max(e.number)").single();
    const auto* number = row[0].get_if<std::int64_t>();
    return number != nullptr ? *number : 0;
}

void begin_capture_epoch(bolt::Driver& driver, const std::string& database, Deadline deadline) {
    driver.session({.database = database, .timeout = deadline.remaining()})
        .execute_write([](bolt::Transaction& transaction) { transaction.run(kNextEpoch).consume(); },
                       {.deadline = deadline});
}

Heartbeat::Heartbeat(bolt::Driver& driver, std::string database, std::string id)
    : driver_(driver), database_(std::move(database)), id_(std::move(id)) {}

void Heartbeat::bury_the_dead(Deadline deadline) {
    driver_.session({.database = database_, .timeout = deadline.remaining()})
        .execute_write(
            [](bolt::Transaction& transaction) {
                const auto row = transaction.run(kBury, {{"alive", kAliveMs}}).single();
                if (row[0] == bolt::Value(true)) transaction.run(kNextEpoch).consume();
            },
            {.deadline = deadline});
}

void Heartbeat::beat(std::string_view mode, Deadline deadline) {
    const auto before = Deadline::Clock::now();
    driver_.session({.database = database_, .timeout = deadline.remaining()})
        .execute_write(
            [&](bolt::Transaction& transaction) {
                transaction
                    .run("MERGE (r:EngineReplica {id: $id}) SET r.mode = $mode, r.seen_at = timestamp()",
                         {{"id", id_}, {"mode", mode}})
                    .consume();
            },
            {.deadline = deadline});
    beaten_at_ = before;
}

void Heartbeat::withdraw(Deadline deadline) {
    driver_.session({.database = database_, .timeout = deadline.remaining()})
        .run("MATCH (r:EngineReplica {id: $id}) DELETE r", {{"id", id_}}, {.deadline = deadline})
        .consume();
}

Deadline Heartbeat::limit() const {
    return Deadline::at(beaten_at_.load() + kTimeToLive);
}

Deadline::Clock::duration Heartbeat::age() const {
    return Deadline::Clock::now() - beaten_at_.load();
}

}  // namespace crossover::neo4j
