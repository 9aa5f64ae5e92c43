#include "neo4j/replicas.h"

namespace crossover::neo4j {

namespace {

// Heartbeats come every few seconds; `seen_at` is Neo4j's timestamp() in milliseconds.
constexpr std::int64_t kAliveMs = 30'000;

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

}  // namespace crossover::neo4j
