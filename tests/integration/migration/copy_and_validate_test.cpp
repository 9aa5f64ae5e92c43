#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "integration/bolt/server.h"
#include "migration/copy/backfill.h"
#include "migration/validate/validate.h"
#include "milvus/client.h"
#include "unit/migration/scratch_folder.h"

/// The copy and the validation as libraries, against real servers: what the end-to-end tests see from
/// outside, here under the sanitizers too.
namespace crossover::migration {
namespace {

using namespace std::chrono_literals;
using bolt::test::environment;

constexpr int kItems = 1200;
constexpr int kDimension = 16;

Deadline soon() {
    return Deadline::after(60s);
}

class CopyTest : public ::testing::Test {
  protected:
    CopyTest() {
        std::random_device random;
        label = "Copy" + std::to_string(random());
        options.source_address = environment("NEO4J_URI") + "/neo4j";
        options.target_address = environment("MILVUS_URI") + "/default";
        options.database = "neo4j";
        options.mapping.label = label;
        options.mapping.properties = {{"title", {}}, {"year", {}}};
        options.mapping.collection = "copy_" + label;
        options.batch_size = 50;
        options.checkpoint_file = folder.file("checkpoint.json");
        options.quarantine_file = folder.file("quarantine.ndjson");
        cypher("CREATE CONSTRAINT FOR (m:" + label + ") REQUIRE m.id IS UNIQUE");
        cypher("UNWIND range(1, $items) AS n CREATE (:" + label +
                   " {id: 'item-' + n, title: 'title ' + n, year: 1900 + n % 100, embedding_version: n % 5,"
                   " embedding: [i IN range(1, $dimension) | rand() - 0.5]})",
               {{"items", kItems}, {"dimension", kDimension}});
        cypher("CALL db.awaitIndexes(60)");
    }
    ~CopyTest() override {
        cypher("MATCH (m:" + label + ") DELETE m");
        if (const auto name = client.describe_alias(options.mapping.collection, soon())) {
            client.drop_alias(options.mapping.collection, soon());
            client.drop_collection(*name, soon());
        }
    }

    void cypher(const std::string& query, const bolt::Parameters& parameters = {}) {
        auto session = driver.session({.database = "neo4j"});
        session.run(query, parameters).consume();
    }
    BackfillResult copy(std::stop_token stop = {}) {
        return run_backfill(
            driver, client, options, throttle, [](const Progress&) {}, std::move(stop));
    }
    ValidateReport validate() {
        ValidateOptions how;
        how.source_address = options.source_address;
        how.target_address = options.target_address;
        how.database = options.database;
        how.mapping = options.mapping;
        how.full_scan = true;
        how.look_again_after = 200ms;
        return run_validate(driver, client, how, [](const ValidateProgress&) {}, {});
    }

    static milvus::ClientConfig milvus_config() {
        milvus::ClientConfig config;
        config.uri = environment("MILVUS_URI");
        config.token = environment("MILVUS_TOKEN");
        return config;
    }

    std::string label;
    ScratchFolder folder;
    bolt::Driver driver = bolt::test::connect();
    milvus::Client client{milvus_config()};
    BackfillOptions options;
    Throttle throttle{{}};
};

TEST_F(CopyTest, CopiesBesideWritersAndCatchesUp) {
    std::atomic<bool> copied = false;
    std::jthread writer([&] {
        std::mt19937 random(7);
        auto session = driver.session({.database = "neo4j"});
        for (int version = 1000; !copied; ++version) {
            const auto id = "item-" + std::to_string(1 + random() % kItems);
            session
                .run("MATCH (m:" + label +
                         " {id: $id}) SET m.embedding_version = $version,"
                         " m.title = 'changed', m.embedding = [x IN m.embedding | x + 1]",
                     {{"id", id}, {"version", version}})
                .consume();
            if (version % 10 == 0)
                session.run("MATCH (m:" + label + " {id: $id}) DELETE m", {{"id", id}}).consume();
        }
    });
    copy();
    copied = true;
    writer.join();
    options.allow_deletes = true;  // the writer may have deleted more than a tenth
    const auto result = copy();
    EXPECT_EQ(result.counts.read, result.counts.copied);
    const auto report = validate();
    EXPECT_TRUE(report.passed());
    EXPECT_EQ(report.consistent, report.checked);
    EXPECT_EQ(report.checked, result.counts.copied);
    EXPECT_EQ(report.target_ids, result.counts.copied);
}

TEST_F(CopyTest, GoesOnAfterAStop) {
    throttle.set({.items_per_second = 2000});
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(300ms);  // the moment of the stop, not a wait for something
        stop.request_stop();
    });
    const auto first = copy(stop.get_token());
    throttle.set({});
    const auto second = copy();
    EXPECT_TRUE(first.interrupted);
    EXPECT_TRUE(second.resumed);
    EXPECT_EQ(second.counts, (Counts{kItems, kItems, 0, 0}));
    EXPECT_EQ(validate().consistent, kItems);
}

}  // namespace
}  // namespace crossover::migration
