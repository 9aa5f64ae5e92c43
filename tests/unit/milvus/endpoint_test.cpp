#include "milvus/endpoint.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace crossover::milvus {
namespace {

struct Case {
    const char* uri;
    const char* authority;
    bool tls;
};

TEST(Endpoint, ReadsEveryForm) {
    for (const Case& c :
         {Case{"http://localhost:19530", "localhost:19530", false},
          Case{"localhost", "localhost:19530", false}, Case{"db.example:1", "db.example:1", false},
          Case{"https://db.example", "db.example:443", true},
          Case{"https://db.example:19530/", "db.example:19530", true},
          Case{"http://[::1]", "[::1]:19530", false}, Case{"[fe80::1]:65535", "[fe80::1]:65535", false}}) {
        const Endpoint endpoint = parse_endpoint(c.uri);
        EXPECT_EQ(endpoint.authority(), c.authority) << c.uri;
        EXPECT_EQ(endpoint.tls, c.tls) << c.uri;
    }
}

TEST(Endpoint, RefusesWhatCannotBeMeant) {
    for (const char* uri :
         {"", "http://", "ftp://host", "tcp://host:1", "http://host:0", "http://host:65536", "http://host:-1",
          "http://host:", "http://host:1x", "http://host:1:2", "::1", "http://[::1", "http://[::1]x",
          "http://host/database", "http://host?x=1", "http://ho st", "http://user:secret@host"}) {
        try {
            parse_endpoint(uri);
            ADD_FAILURE() << uri;
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage) << uri;
            EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
        }
    }
}

}  // namespace
}  // namespace crossover::milvus
