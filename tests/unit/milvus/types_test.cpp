#include "milvus/types.h"

#include <gtest/gtest.h>

#include "milvus/client.h"
#include "milvus/node_info.h"

namespace crossover::milvus {
namespace {

TEST(ServerVersion, ReadsReleases) {
    const auto version = parse_server_version("v2.3.5-dev");
    ASSERT_TRUE(version);
    EXPECT_EQ(version->major, 2);
    EXPECT_EQ(version->minor, 3);
    EXPECT_EQ(version->patch, 5);
    EXPECT_TRUE(version->at_least(2, 3, 5));
    EXPECT_FALSE(version->at_least(2, 3, 6));
    EXPECT_FALSE(server_supports_nullable(*version));
    EXPECT_TRUE(server_supports_nullable(*parse_server_version("2.5.0")));
    for (const char* bad : {"", "v", "2.3", "2.3.", "master-2024", "v2.-3.1"})
        EXPECT_FALSE(parse_server_version(bad)) << bad;
}

TEST(Metric, IgnoresCase) {
    EXPECT_EQ(parse_metric("cosine"), Metric::cosine);
    EXPECT_EQ(parse_metric("IP"), Metric::inner_product);
    EXPECT_EQ(parse_metric("l2"), Metric::l2);
    EXPECT_FALSE(parse_metric("HAMMING"));
}

TEST(MaxRows, StaysUnderTheLimitAndAboveZero) {
    EXPECT_EQ(max_rows_per_request(100'000'000, 0), 1U);
    const auto rows = max_rows_per_request(768, 100);
    EXPECT_LE(rows * (768 * 4 + 100), kMaxRequestBytes);
    EXPECT_GT((rows + 500) * (768 * 4 + 100), kMaxRequestBytes);
}

TEST(SystemInfo, ReadsNodesAndForgivesGaps) {
    const auto nodes = parse_system_info(R"({"nodes_info":[
        {"infos":{"type":"querynode","name":"querynode1","hardware_infos":{"ip":"10.0.0.1:21123","memory":64,"memory_usage":7,
         "disk":1e3,"disk_usage":-5},"system_info":{"deploy_mode":"STANDALONE"}}},
        {"infos":{"type":3}}, 5,
        {"infos":{"hardware_infos":{"disk":104857600,"disk_usage":2097152,"cpu_core_count":8}}}]})");
    ASSERT_TRUE(nodes);
    ASSERT_EQ(nodes->size(), 4U);
    EXPECT_EQ((*nodes)[3].disk_total, 0U);  // known to be made up
    EXPECT_EQ((*nodes)[3].cores, 8U);
    EXPECT_EQ((*nodes)[0].role, "querynode");
    EXPECT_EQ((*nodes)[0].ip, "10.0.0.1:21123");
    EXPECT_EQ((*nodes)[0].deploy_mode, "STANDALONE");
    EXPECT_EQ((*nodes)[0].memory_total, 64U);
    EXPECT_EQ((*nodes)[0].memory_used, 7U);
    EXPECT_EQ((*nodes)[0].disk_total, 1000U);
    EXPECT_EQ((*nodes)[0].disk_used, 0U);
    EXPECT_EQ((*nodes)[1].role, "");
    for (const char* bad : {"", "{", "[]", "null", R"({"nodes_info":{}})"})
        EXPECT_FALSE(parse_system_info(bad)) << bad;
}

}  // namespace
}  // namespace crossover::milvus
