#include <gtest/gtest.h>

#include <mutex>
#include <random>

#include "engine/engine.h"
#include "integration/bolt/server.h"
#include "integration/neo4j/recorder.h"

namespace crossover::engine {
namespace {

using namespace std::chrono_literals;

/// What Neo4j is told of each search: how long it may take.
class Searches {
  public:
    void hear(const std::string& text, const bolt::Map& extra) {
        if (text.find("WITH m, vector.similarity") == std::string::npos) return;
        const auto* timeout = extra.get_if<std::int64_t>("tx_timeout");
        const std::lock_guard lock(mutex_);
        timeouts_.push_back(timeout == nullptr ? -1 : *timeout);
        // Until the clock shows that it took some of the time.
        const auto begun = Deadline::Clock::now();
        while (Deadline::Clock::now() < begun + 5ms) continue;
    }
    std::vector<std::int64_t> timeouts() const {
        const std::lock_guard lock(mutex_);
        return timeouts_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::int64_t> timeouts_;
};

TEST(Deadlines, OfARecommendationAreOne) {
    auto driver = bolt::test::connect();
    const auto label = "Recommended" + std::to_string(std::random_device()());
    const auto cypher = [&](const std::string& text) {
        driver.session({.database = "neo4j"}).run(text, {{"user", label}}).consume();
    };
    cypher("CREATE (u:User {id: $user}) WITH u UNWIND range(1, 8) AS n CREATE (m:" + label +
           " {id: toString(n), title: 't', embedding: [toFloat(n), 1.0], embedding_version: n}) WITH u, m, n "
           "WHERE n <= 5 CREATE (u)-[:VIEWED {rating: 5, at: n}]->(m)");
    Searches searches;
    bolt::Driver observed(
        bolt::parse_uri(bolt::test::environment("NEO4J_URI")), bolt::test::credentials(), {},
        neo4j::test::listening_connector([&](const std::string& text, const bolt::Map&,
                                             const bolt::Map& extra) { searches.hear(text, extra); }));
    EngineConfig config;
    config.database = "neo4j";
    config.mapping.label = config.mapping.collection = label;
    config.mapping.dimension = 2;
    config.mapping.properties = {{"title", sync::PropertyType::text}};
    {
        Engine engine(observed, nullptr, config);
        const auto found = engine.recommend({label, 3, Strategy::vector, {}});
        EXPECT_EQ(found.items.size(), 3U);
    }
    const auto timeouts = searches.timeouts();
    ASSERT_EQ(timeouts.size(), 5U) << "one for each film that was liked";
    for (std::size_t i = 0; i < timeouts.size(); ++i) {
        EXPECT_GT(timeouts[i], 0) << i;
        if (i > 0) {
            EXPECT_LT(timeouts[i], timeouts[i - 1]) << i;
        }
    }
    cypher("MATCH (n) WHERE n:" + label +
           " OR (n:User AND n.id = $user) OR (n:CrossoverSource AND n.label = $user) DETACH DELETE n");
    cypher("MATCH (e:CaptureEpoch {collection: $user}) DELETE e");
}

}  // namespace
}  // namespace crossover::engine
