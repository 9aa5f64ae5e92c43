#include <gmock/gmock.h>

#include "fixture.h"

namespace crossover::milvus::test {
namespace {

TEST_F(MilvusTest, DescribesWhatWasCreated) {
    EXPECT_FALSE(client.has_collection(name, soon()));
    EXPECT_EQ(client.describe_collection(name, soon()), std::nullopt);
    const auto wanted = spec();
    client.create_collection(wanted, soon());
    EXPECT_TRUE(client.has_collection(name, soon()));
    EXPECT_THAT(client.list_collections(soon()), testing::Contains(name));
    const auto info = client.describe_collection(name, soon());
    ASSERT_TRUE(info);
    EXPECT_GT(info->id, 0);
    EXPECT_EQ(info->spec.name, name);
    EXPECT_EQ(info->spec.fields, wanted.fields);
    EXPECT_EQ(info->spec.id_kind, IdKind::string);
    EXPECT_EQ(info->spec.id_max_length, 8000U);
    EXPECT_EQ(info->spec.dimension, kDimension);
    EXPECT_EQ(info->spec.description, wanted.description);
    EXPECT_EQ(info->spec.default_consistency, Consistency::bounded);
    EXPECT_EQ(info->spec.properties, wanted.properties);
    EXPECT_TRUE(info->has_version_field);
    EXPECT_FALSE(info->auto_id);
    EXPECT_THAT(info->foreign_fields, testing::IsEmpty());
    const auto now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
    EXPECT_NEAR(static_cast<double>(info->created_ms), static_cast<double>(now), 60'000.0);
    client.drop_collection(name, soon());
    EXPECT_FALSE(client.has_collection(name, soon()));
    client.drop_collection(name, soon());  // again: no error
}

TEST_F(MilvusTest, AnotherSchemaOfTheSameNameIsAConflict) {
    client.create_collection(spec(), soon());
    auto other = spec();
    other.dimension = 64;
    std::string message;
    EXPECT_EQ(kind_thrown_by([&] { client.create_collection(other, soon()); }, &message), ErrorKind::conflict)
        << message;
}

TEST_F(MilvusTest, ADroppedCollectionComesBackWithAnotherId) {
    client.create_collection(spec(), soon());
    const auto first = client.describe_collection(name, soon());
    client.drop_collection(name, soon());
    client.create_collection(spec(), soon());
    EXPECT_NE(client.describe_collection(name, soon())->id, first->id);
}

TEST_F(MilvusTest, IndexAndLoadReportTheirProgress) {
    const auto wanted = spec();
    client.create_collection(wanted, soon());
    EXPECT_FALSE(client.describe_index(wanted.ref(), soon()));
    EXPECT_EQ(client.load_progress(name, soon()).state, LoadState::not_loaded);
    EXPECT_NE(kind_thrown_by([&] { client.load(name, soon()); }), ErrorKind::internal);
    const IndexSpec hnsw{Metric::cosine, 24, 100};
    client.create_index(wanted.ref(), hnsw, soon());
    client.upsert(wanted.ref(), batch(numbered_ids(0, 3000)), soon());
    client.flush(name, soon());
    ASSERT_TRUE(eventually([&] { return client.describe_index(wanted.ref(), soon())->total_rows == 3000; }));
    // "Finished" can be said before the new segment was taken up: the rows tell.
    ASSERT_TRUE(eventually([&] {
        const auto index = client.describe_index(wanted.ref(), soon());
        return index->state == IndexState::finished && index->indexed_rows == 3000;
    }));
    const auto index = client.describe_index(wanted.ref(), soon());
    EXPECT_EQ(index->spec, hnsw);
    EXPECT_EQ(index->type, "HNSW");
    EXPECT_EQ(index->indexed_rows, 3000);
    EXPECT_EQ(index->pending_rows, 0);
    client.load(name, soon());
    ASSERT_TRUE(eventually([&] { return client.load_progress(name, soon()).percent == 100; }));
    client.load(name, soon());  // again: no error
    EXPECT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), 3000);
    client.release(name, soon());
    EXPECT_EQ(client.load_progress(name, soon()).state, LoadState::not_loaded);
    std::string message;
    EXPECT_EQ(kind_thrown_by([&] { client.count(wanted.ref(), Consistency::strong, soon()); }, &message),
              ErrorKind::unavailable)
        << message;
    client.drop_index(wanted.ref(), soon());
    EXPECT_FALSE(client.describe_index(wanted.ref(), soon()));
}

TEST_F(MilvusTest, AnAliasCanBeMoved) {
    client.create_collection(spec(), soon());
    auto second = spec();
    second.name = name + "_2";
    client.create_collection(second, soon());
    const std::string alias = name + "_alias";
    EXPECT_EQ(client.describe_alias(alias, soon()), std::nullopt);
    client.create_alias(alias, name, soon());
    EXPECT_EQ(client.describe_alias(alias, soon()), name);
    EXPECT_EQ(client.describe_alias(name, soon()), std::nullopt);
    EXPECT_THAT(client.list_aliases(name, soon()), testing::ElementsAre(alias));
    std::string message;
    EXPECT_EQ(kind_thrown_by([&] { client.create_alias(alias, second.name, soon()); }, &message),
              ErrorKind::conflict)
        << message;
    EXPECT_EQ(client.describe_collection(alias, soon())->id, client.describe_collection(name, soon())->id);
    client.alter_alias(alias, second.name, soon());
    EXPECT_EQ(client.describe_alias(alias, soon()), second.name);
    EXPECT_THAT(client.list_aliases(name, soon()), testing::IsEmpty());
    client.drop_alias(alias, soon());
    client.drop_collection(second.name, soon());
    EXPECT_EQ(client.describe_alias(alias, soon()), std::nullopt);
}

TEST_F(MilvusTest, CallsOnAMissingCollectionSaySo) {
    std::string message;
    EXPECT_EQ(kind_thrown_by([&] { client.load_progress(name, soon()); }, &message), ErrorKind::not_found)
        << message;
    EXPECT_NE(message.find(name), std::string::npos);
    EXPECT_EQ(kind_thrown_by([&] { client.load(name, soon()); }, &message), ErrorKind::not_found) << message;
    EXPECT_EQ(kind_thrown_by([&] { client.flush(name, soon()); }, &message), ErrorKind::not_found) << message;
    EXPECT_EQ(kind_thrown_by([&] { client.compact(name, soon()); }, &message), ErrorKind::not_found)
        << message;
    EXPECT_EQ(kind_thrown_by([&] { client.upsert(name, batch({ItemId("a")}), soon()); }, &message),
              ErrorKind::not_found)
        << message;
    EXPECT_EQ(kind_thrown_by([&] { client.count(name, Consistency::strong, soon()); }, &message),
              ErrorKind::not_found)
        << message;
    const std::vector<ItemId> ids = {ItemId("a")};
    EXPECT_EQ(kind_thrown_by([&] { client.erase(name, ids, soon()); }, &message), ErrorKind::not_found)
        << message;
    EXPECT_EQ(kind_thrown_by([&] { client.describe_index(name, soon()); }, &message), ErrorKind::not_found)
        << message;
}

TEST_F(MilvusTest, CompactsAfterDeletes) {
    const auto wanted = spec();
    create_ready(wanted);
    client.upsert(wanted.ref(), batch(numbered_ids(0, 4000)), soon());
    client.flush(name, soon());
    client.erase(wanted.ref(), numbered_ids(0, 3000), soon());
    client.flush(name, soon());
    const auto id = client.compact(name, soon());
    if (id >= 0) {
        ASSERT_TRUE(
            eventually([&] { return client.compaction_state(id, soon()) == CompactionState::completed; }));
    }
    EXPECT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), 1000);
}

}  // namespace
}  // namespace crossover::milvus::test
