#include "settings/exit_code.h"

#include <gtest/gtest.h>

namespace crossover::cli {
namespace {

ExitCode code(System system, ErrorKind kind) {
    return exit_code_of(Error(system, kind, ""));
}

TEST(ExitCode, FollowsFromTheKind) {
    EXPECT_EQ(code(System::config, ErrorKind::usage), 2);
    EXPECT_EQ(code(System::neo4j, ErrorKind::authentication), 2);
    EXPECT_EQ(code(System::milvus, ErrorKind::not_found), 2);
    EXPECT_EQ(code(System::neo4j, ErrorKind::unreachable), 3);
    EXPECT_EQ(code(System::milvus, ErrorKind::timeout), 3);
    EXPECT_EQ(code(System::neo4j, ErrorKind::not_ready), 5);
    EXPECT_EQ(code(System::file, ErrorKind::conflict), 5);
    EXPECT_EQ(code(System::internal, ErrorKind::cancelled), 130);
    EXPECT_EQ(code(System::file, ErrorKind::io), 1);
    EXPECT_EQ(code(System::file, ErrorKind::not_found), 1);
    EXPECT_EQ(code(System::milvus, ErrorKind::rejected), 1);
}

}  // namespace
}  // namespace crossover::cli
