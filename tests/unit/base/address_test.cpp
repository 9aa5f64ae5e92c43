#include "base/address.h"

#include <gmock/gmock.h>

namespace crossover {
namespace {

constexpr const char* kNothing = "(an address that can't be read)";

TEST(Address, ShowsWhereAServerIs) {
    const std::pair<const char*, const char*> cases[] = {
        {"bolt://host:7687", "bolt://host:7687"},
        {"neo4j+s://db.example.org", "neo4j+s://db.example.org"},
        {"neo4j://h:1?policy=eu", "neo4j://h:1"},
        {"http://[::1]:19530/", "http://[::1]:19530"},
        {"milvus-0.svc:19530", "milvus-0.svc:19530"},
        {"redis://:s3cret@host:6379/0", "redis://host:6379/0"},
        {"rediss://me:s3%2Fcret@host", "rediss://host"},
        {"postgresql://me:s3cret@db:5432/agent", "postgresql://db:5432/agent"},
        {"postgres://me@h1:1,h2:2/agent?target_session_attrs=any", "postgres://h1:1,h2:2/agent"},
        {"postgresql://me:pa#ss@host/db", "postgresql://host/db"},
        {"postgresql://me:pa?ss@host/db", "postgresql://host/db"},
        {"postgresql://me:pa ss:x@host/db", "postgresql://host/db"},
        {"postgresql:///agent?host=/run/postgresql&password=s3cret",
         "postgresql://%2Frun%2Fpostgresql/agent"},
        {"postgresql://db/agent?user=me&password=s3cret", "postgresql://db/agent"},
        {R"(host=db password='s \' x' dbname = agent)", "postgresql://db/agent"},
        {"hostaddr=::1 port=5433 user=me password=s\\ x", "postgresql://[::1]:5433"},
    };
    for (const auto& [text, shown] : cases) EXPECT_EQ(shown_address(text), shown) << text;
}

TEST(Address, ShowsNothingOfWhatItDoesNotUnderstand) {
    for (const char* text :
         {"", "s3cret", "root:s3cret", "/s3cret", "me:s3cret@host:6379", "mysql://host/s3cret",
          "s3cret://host",
          // A password with what has a meaning in URLs.
          "redis://:pa?ss@host", "redis://:1?ss@host", "redis://:pa#ss@host", "redis://:pa/ss@host",
          "redis://me:12/ss@host", "redis://:pa@ss@host", "bolt://me:p[a@host", "http://h/s3cret/x",
          "postgresql://me:pa/ss@host/db", "postgresql://me:1/ss@host/db", "postgresql://me:pa@ss@host/db",
          // Parameters with an '@'.
          "postgresql://host?password=pa@ss", "postgresql://host/db?password=pa@ss",
          "postgresql://me@host/db?password=pa@ss", "redis://host/0?password=pa@ss",
          // Parameters that say that the server is elsewhere.
          "postgresql://host/db?host=other", "postgresql://host/db?%68ost=other",
          // libpq would not understand it either.
          "host=db password='s3cret", "host=db password=s3 cret", "host=db pass word=s3cret", "host=a/b@c",
          "postgresql://host:s3cret/db", "postgresql://ho st/db", "postgresql://host/d b"}) {
        EXPECT_EQ(shown_address(text), kNothing) << text;
    }
}

TEST(Address, KnowsThisMachine) {
    for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1"})
        EXPECT_TRUE(is_loopback(host)) << host;
    for (const char* host :
         {"", "127.0.0.1.example.org", "127.evil", "10.0.0.1", "::2", "localhost.example.org"}) {
        EXPECT_FALSE(is_loopback(host)) << host;
    }
}

}  // namespace
}  // namespace crossover
