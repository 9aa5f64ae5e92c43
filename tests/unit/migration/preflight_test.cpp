#include "migration/preflight/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crossover::migration {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ServerState well(System system) {
    auto server = not_configured(system);
    server.configured = server.reached = server.new_enough = true;
    server.address = "somewhere";
    server.version = "99";
    return server;
}

ServerState away(System system) {
    auto server = well(system);
    server.reached = server.new_enough = false;
    server.kind = ErrorKind::unreachable;
    server.problem = server.name + " is away.";
    return server;
}

PreflightReport all_well() {
    PreflightReport report;
    report.label = "Film";
    report.servers = {well(System::neo4j), well(System::milvus), well(System::postgres), well(System::redis)};
    report.inventory.emplace();
    report.inventory->items = report.inventory->valid = 1000;
    report.inventory->ids.ordered = report.inventory->ids.unique = true;
    report.forecast = forecast(1000, 768, 16, 256, 2.0, 2);
    report.capacity = {1e12, 1e12, "Milvus", 2};
    return report;
}

TEST(Preflight, VersionsCompareByNumber) {
    EXPECT_TRUE(version_at_least("5.26.30", "5.15"));
    EXPECT_TRUE(version_at_least("5.15.0", "5.15"));
    EXPECT_FALSE(version_at_least("5.9.0", "5.15"));
    EXPECT_TRUE(version_at_least("2025.10.1", "5.15"));
    EXPECT_TRUE(version_at_least("v2.3.5-lite", "2.3"));
    EXPECT_FALSE(version_at_least("2.2.16", "2.3"));
    EXPECT_TRUE(version_at_least("15.4 (Debian 15.4-1)", "15"));
    EXPECT_FALSE(version_at_least("14.11", "15"));
    EXPECT_FALSE(version_at_least("6.2.7", "7"));
    EXPECT_FALSE(version_at_least("unknown", "7"));
}

TEST(Preflight, ForecastFollowsItsFormula) {
    const auto need = forecast(150'000, 768, 16, 256, 10.0, std::nullopt);
    EXPECT_DOUBLE_EQ(need.embedding_bytes, 150'000.0 * 768 * 4);
    EXPECT_DOUBLE_EQ(need.disk_bytes, 3 * need.embedding_bytes);
    EXPECT_DOUBLE_EQ(need.memory_bytes, 150'000.0 * (3072 + 192 + 40) * 1.2);
    EXPECT_DOUBLE_EQ(need.copy_seconds, 20.0);
    EXPECT_DOUBLE_EQ(need.index_seconds, 156);
    EXPECT_DOUBLE_EQ(forecast(150'000, 384, 16, 512, 10.0, 10).index_seconds, 36);
}

TEST(Preflight, ReadyWhereNothingStandsInTheWay) {
    auto report = all_well();
    judge(report);
    EXPECT_TRUE(report.ready());
    EXPECT_THAT(report.notes, IsEmpty());
}

TEST(Preflight, BadItemsDoNotStandInTheWayUnlessAllAre) {
    auto report = all_well();
    report.inventory->valid = 1;
    judge(report);
    EXPECT_TRUE(report.ready());
    report = all_well();
    report.inventory->valid = 0;
    judge(report);
    EXPECT_THAT(report.reasons, ElementsAre(HasSubstr("None of the 1,000 embeddings of Film can be copied")));
}

TEST(Preflight, ItemsThatDoNotFitTheCollectionStandInTheWay) {
    auto report = all_well();
    report.inventory->mapping.collection = "films";
    report.inventory->narrow = 1;
    report.inventory->narrow_example = "title has 21 bytes, the collection takes 16";
    judge(report);
    EXPECT_THAT(report.reasons,
                ElementsAre("1 item does not fit collection films, which is there already: title has 21 "
                            "bytes, the collection takes 16. Make its fields longer, or name another with "
                            "--collection."));
}

TEST(Preflight, DiskAndMemoryThatAreShortStandInTheWay) {
    auto report = all_well();
    report.capacity.disk_free = 1e6;
    report.capacity.memory_free = 1e6;
    judge(report);
    EXPECT_THAT(report.reasons, ElementsAre(HasSubstr("1.0 MB of disk left, and 9.2 MB are required"),
                                            HasSubstr("1.0 MB of memory left, and 4.0 MB are required")));
    EXPECT_FALSE(report.only_unreachable);
}

TEST(Preflight, OnlyServersThatAreAwayAreToldApart) {
    auto report = all_well();
    report.inventory.reset();
    report.servers[0] = away(System::neo4j);
    report.servers[3] = away(System::redis);
    judge(report);
    EXPECT_THAT(report.reasons, ElementsAre("Neo4j is away.", "Redis is away."));
    EXPECT_TRUE(report.only_unreachable);

    report = all_well();
    report.servers[3] = away(System::redis);
    report.inventory->valid = 0;
    judge(report);
    EXPECT_FALSE(report.only_unreachable);
}

TEST(Preflight, WithoutMilvusItSaysWhatToDeploy) {
    auto report = all_well();
    report.servers[1] = not_configured(System::milvus);
    report.capacity = {};
    judge(report);
    EXPECT_THAT(
        report.reasons,
        ElementsAre("Milvus is not configured. Deploy Milvus 2.3 or later with at least 4.0 MB of memory and "
                    "9.2 MB of disk, and set MILVUS_URI."));
}

TEST(Preflight, PostgresAndRedisThatAreNotConfiguredAreOnlyNoted) {
    auto report = all_well();
    report.servers[2] = not_configured(System::postgres);
    report.servers[3] = not_configured(System::redis);
    judge(report);
    EXPECT_TRUE(report.ready());
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr("PostgreSQL is not configured (DATABASE_URL)"),
                                          HasSubstr("Redis is not configured (REDIS_URL)")));
}

TEST(Preflight, MissingIndexNamesTheStatement) {
    auto report = all_well();
    report.inventory->ids = {false, false, "CREATE CONSTRAINT …;", ""};
    judge(report);
    EXPECT_TRUE(report.ready());
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr("To make both: CREATE CONSTRAINT …;")));
}

TEST(Preflight, RedisUrlsThatCannotBeMeant) {
    EXPECT_EQ(check_redis("rediss://:p@h:1?verify=none").kind, ErrorKind::usage);
    EXPECT_EQ(check_redis("nonsense").kind, ErrorKind::usage);
    EXPECT_THAT(check_redis("rediss://:s3cret@h:1/x").problem, testing::Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace crossover::migration
