#include <gmock/gmock.h>

#include "base/error.h"
#include "redis/connection.h"

namespace crossover::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RedisUrl, EverythingButTheHostMayBeLeftOut) {
    const auto address = parse_url("redis://cache.example");
    EXPECT_EQ(address.host, "cache.example");
    EXPECT_EQ(address.port, 6379);
    EXPECT_EQ(address.database, 0);
    EXPECT_EQ(address.user + address.password + address.ca_file, "");
    EXPECT_FALSE(address.tls);
}

TEST(RedisUrl, EveryPartIsDecoded) {
    const auto address = parse_url("rediss://us%40er:p%3A%2F%40%20s%00@[::1]:7000/%31%35");
    EXPECT_EQ(address.user, "us@er");
    EXPECT_EQ(address.password, std::string("p:/@ s\0", 7));
    EXPECT_EQ(address.host, "::1");
    EXPECT_EQ(address.port, 7000);
    EXPECT_EQ(address.database, 15);
    EXPECT_TRUE(address.tls);
    EXPECT_EQ(to_string(address), "rediss://[::1]:7000/15");
}

TEST(RedisUrl, APasswordAloneIsTheDefaultUsers) {
    const auto address = parse_url("redis://:secret@10.0.0.1/");
    EXPECT_EQ(address.user, "");
    EXPECT_EQ(address.password, "secret");
    EXPECT_EQ(to_string(address), "redis://10.0.0.1:6379/0");
}

class WrongUrl : public testing::TestWithParam<const char*> {};

TEST_P(WrongUrl, IsWrongUsageAndIsNotRepeated) {
    try {
        parse_url(GetParam());
        FAIL() << "taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_EQ(error.system(), System::redis);
        EXPECT_THAT(error.what(), HasSubstr("REDIS_URL"));
        EXPECT_THAT(error.what(), Not(HasSubstr("s3cret")));
    }
}

INSTANTIATE_TEST_SUITE_P(Urls, WrongUrl,
                         testing::Values("", "nonsense", "http://host", "unix:///tmp/s3cret", "redis://",
                                         "redis://:s3cret@", "redis:///0", "redis://h/x", "redis://h/-1",
                                         "redis://h/1/2", "redis://h/99999999999", "redis://h:0",
                                         "redis://h:65536", "redis://h:s3cret", "redis://:a/s3cret@h",
                                         "redis://u:1/s3cret@h", "redis://h/0?password=s3cret",
                                         "redis://h/0#s3cret"));

}  // namespace
}  // namespace crossover::redis
