#pragma once

#include <functional>
#include <string>
#include <thread>

#include "bolt/driver.h"
#include "engine/lazy_collection.h"
#include "engine/metrics.h"
#include "neo4j/change_log.h"
#include "neo4j/lease.h"
#include "neo4j/media_store.h"

namespace crossover::engine {

/// A slow look at all ids and versions of both stores, for what no change entry speaks of, such as a change
/// made around the engine. Writes nothing to Milvus itself: what differs becomes
/// an entry of the outbox, and is brought and accounted for like any other. One replica at a time, by a
/// lease. What fails meanwhile is waited for, in sight of the operator, and given up after ten minutes
/// without progress.
class AntiEntropy {
  public:
    /// All must outlive it.
    struct Ports {
        bolt::Driver& driver;
        const std::string& database;
        neo4j::MediaStore& source;
        LazyCollection& target;
        neo4j::ChangeLog& log;
        Metrics& metrics;
    };

    /// `wanted` is asked before and during each look: without capture there is nothing to keep equal.
    AntiEntropy(Ports ports, std::string collection, std::function<bool()> wanted,
                std::chrono::seconds every);

  private:
    void run(const std::stop_token& stop);
    void look_once(const std::stop_token& stop);

    const Ports ports_;
    const neo4j::LeaseName lease_name_;
    const std::function<bool()> wanted_;
    const std::chrono::seconds every_;
    std::jthread thread_;
};

}  // namespace crossover::engine
