#include "core/patience.h"

#include <gtest/gtest.h>

namespace crossover {
namespace {

Error of(ErrorKind kind) {
    return Error(System::milvus, kind, "");
}

TEST(Patience, IsWithoutEndForWhatPasses) {
    Patience patience;
    for (int i = 0; i < 1000; ++i) {
        for (const auto kind :
             {ErrorKind::unreachable, ErrorKind::timeout, ErrorKind::overloaded, ErrorKind::unavailable}) {
            EXPECT_TRUE(patience.has_for(of(kind)));
        }
    }
}

TEST(Patience, IsNoneForWhatDoesNotPass) {
    for (const auto kind : {ErrorKind::rejected, ErrorKind::authentication, ErrorKind::conflict}) {
        EXPECT_FALSE(Patience().has_for(of(kind)));
    }
}

TEST(Patience, EndsForACodeOfMilvusThatNobodyKnows) {
    const Error unknown(System::milvus, ErrorKind::protocol, "", "4711");
    Patience patience;
    for (int i = 1; i < kUnknownCodeAttempts; ++i) EXPECT_TRUE(patience.has_for(unknown));
    EXPECT_FALSE(patience.has_for(unknown));
    // One that is known in between begins it anew.
    EXPECT_TRUE(patience.has_for(of(ErrorKind::unavailable)));
    EXPECT_TRUE(patience.has_for(unknown));
    // Another service, or an answer of another kind, is not waited for.
    EXPECT_FALSE(Patience().has_for(Error(System::milvus, ErrorKind::protocol, "", "UNIMPLEMENTED")));
    EXPECT_FALSE(Patience().has_for(Error(System::neo4j, ErrorKind::protocol, "", "4711")));
}

}  // namespace
}  // namespace crossover
