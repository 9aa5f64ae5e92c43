#include "base/deletions.h"

#include <gtest/gtest.h>

#include <limits>

namespace crossover {
namespace {

TEST(Deletions, OfAHundredRowsNobodyIsAsked) {
    EXPECT_FALSE(needs_permission_to_delete(0, 0));
    EXPECT_FALSE(needs_permission_to_delete(100, 100));
    EXPECT_TRUE(needs_permission_to_delete(101, 101));
}

TEST(Deletions, OfATenthNobodyIsAsked) {
    EXPECT_FALSE(needs_permission_to_delete(101, 1'010));
    EXPECT_TRUE(needs_permission_to_delete(101, 1'009));
    EXPECT_FALSE(needs_permission_to_delete(300, 3'000));
    EXPECT_TRUE(needs_permission_to_delete(301, 3'000));
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    EXPECT_FALSE(needs_permission_to_delete(kMost / 10, kMost));
    EXPECT_TRUE(needs_permission_to_delete(kMost, kMost));
    for (const std::int64_t found : {std::int64_t(0), std::int64_t(101), std::int64_t(1'009), kMost}) {
        EXPECT_FALSE(needs_permission_to_delete(most_to_delete(found), found)) << found;
        EXPECT_TRUE(needs_permission_to_delete(most_to_delete(found) + 1, found)) << found;
    }
}

TEST(Deletions, TheRefusalSaysHowManyWhereAndWhatToDo) {
    const auto error = deletion_refused(System::milvus, 3'000, 3'001, "Milvus at m:1, collection films_v1",
                                        "Neo4j no longer has them");
    EXPECT_EQ(error.kind(), ErrorKind::not_ready);
    EXPECT_EQ(error.system(), System::milvus);
    EXPECT_STREQ(error.what(),
                 "Milvus at m:1, collection films_v1: 3,000 of 3,001 rows would be deleted, since Neo4j no "
                 "longer has them; none of them was. Is this the right source? If they are to go, run again "
                 "with --allow-deletes.");
}

}  // namespace
}  // namespace crossover
