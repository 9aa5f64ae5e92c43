#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "bolt/driver.h"
#include "core/deadline.h"
#include "engine/metrics.h"
#include "engine/target.h"
#include "neo4j/media_store.h"

namespace crossover::engine {

/// A slow look at all ids and versions of both stores, that repairs what no change entry speaks of, such as a
/// change made around the engine (DESIGN section 4, rule 7). One replica at a time, by a lease.
class AntiEntropy {
  public:
    /// `wanted` is asked before each look: without capture, or before a collection is loaded, there is
    /// nothing to keep equal. `limit` bounds each write to Milvus. All references must outlive it.
    AntiEntropy(bolt::Driver& driver, std::string database, neo4j::MediaStore& source, Target& target,
                const sync::MediaMapping& mapping, Metrics& metrics, std::function<bool()> wanted,
                std::function<Deadline()> limit, std::chrono::seconds every);

  private:
    void run(const std::stop_token& stop);
    void look_once(const std::stop_token& stop);

    bolt::Driver& driver_;
    const std::string database_;
    neo4j::MediaStore& source_;
    Target& target_;
    const sync::MediaMapping& mapping_;
    Metrics& metrics_;
    const std::function<bool()> wanted_;
    const std::function<Deadline()> limit_;
    const std::chrono::seconds every_;
    std::jthread thread_;
};

}  // namespace crossover::engine
