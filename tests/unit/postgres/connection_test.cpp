#include "postgres/connection.h"

#include <gtest/gtest.h>

namespace crossover::postgres {
namespace {

TEST(Postgres, KindsFollowTheSqlstate) {
    EXPECT_EQ(kind_of_sqlstate("28P01"), ErrorKind::authentication);
    EXPECT_EQ(kind_of_sqlstate("42501"), ErrorKind::authentication);
    EXPECT_EQ(kind_of_sqlstate("3D000"), ErrorKind::not_found);
    EXPECT_EQ(kind_of_sqlstate("40001"), ErrorKind::unavailable);
    EXPECT_EQ(kind_of_sqlstate("40P01"), ErrorKind::unavailable);
    EXPECT_EQ(kind_of_sqlstate("57P01"), ErrorKind::unreachable);
    EXPECT_EQ(kind_of_sqlstate("57P03"), ErrorKind::unavailable);
    EXPECT_EQ(kind_of_sqlstate("57014"), ErrorKind::timeout);
    EXPECT_EQ(kind_of_sqlstate("53300"), ErrorKind::overloaded);
    EXPECT_EQ(kind_of_sqlstate("54000"), ErrorKind::too_large);
    EXPECT_EQ(kind_of_sqlstate("22P02"), ErrorKind::rejected);
    EXPECT_EQ(kind_of_sqlstate("23505"), ErrorKind::rejected);
}

TEST(Postgres, ArraysOfBytes) {
    const std::string_view elements[] = {"a", ""};
    EXPECT_EQ(bytea_array(elements),
              std::string("\0\0\0\1\0\0\0\0\0\0\0\x11\0\0\0\2\0\0\0\1\0\0\0\1a\0\0\0\0", 29));
    EXPECT_EQ(bytea_array({}), std::string("\0\0\0\0\0\0\0\0\0\0\0\x11", 12));
}

TEST(Postgres, AnAddressThatCannotBeReadNamesNoPassword) {
    try {
        Connection connection("postgresql://user:pass%word@host/db",
                              Deadline::after(std::chrono::seconds(1)));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_EQ(std::string(error.what()).find("pass%word"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("DATABASE_URL"), std::string::npos);
    }
}

TEST(Postgres, NobodyThere) {
    try {
        Connection connection("postgresql://u:secret@127.0.0.1:1/db",
                              Deadline::after(std::chrono::seconds(5)));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::unreachable);
        EXPECT_EQ(std::string(error.what()).rfind("No connection to postgresql://127.0.0.1:1/db: ", 0), 0U)
            << error.what();
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
    }
}

}  // namespace
}  // namespace crossover::postgres
