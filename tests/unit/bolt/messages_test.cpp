#include "bolt/messages.h"

#include <gmock/gmock.h>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

Bytes run_message(const Parameters& parameters) {
    Bytes bytes;
    EXPECT_TRUE(encode_run(bytes, "R", parameters, nullptr));
    return bytes;
}

TEST(MessagesTest, WritesParametersByCallback) {
    Parameters parameters{{"a", 1}};
    parameters.add("ids", [](Encoder& encoder) {
        encoder.write_list_header(2);
        encoder.write_int(7);
        encoder.write_string("x");
    });
    EXPECT_EQ(to_hex(run_message(parameters)), "B3 10 81 52 A2 81 61 01 83 69 64 73 92 07 81 78 A0");
}

TEST(MessagesTest, WritesWhatTransactionsSay) {
    Bytes bytes;
    const TransactionExtra extra{"db", AccessMode::read, {"b1", "b2"}, 5};
    EXPECT_TRUE(encode_begin(bytes, extra));
    Decoder decoder(bytes);
    StructHeader header;
    Map map;
    ASSERT_TRUE(decoder.read_struct_header(header));
    ASSERT_TRUE(decoder.read_map(map));
    EXPECT_EQ(header.tag, 0x11);
    EXPECT_EQ(map, (Map{{"db", "db"}, {"mode", "r"}, {"bookmarks", List{"b1", "b2"}}, {"tx_timeout", 5}}));
}

TEST(MessagesTest, RefusesParametersThatCannotBeSent) {
    Value deep;
    for (int i = 0; i < kMaxDepth + 2; ++i) deep = List{deep};
    Bytes bytes;
    EXPECT_FALSE(encode_run(bytes, "R", {{"deep", deep}}, nullptr));
}

TEST(MessagesTest, ReadsResponses) {
    Response response;
    const Bytes row = hex("B1 71 92 01 81 61");
    ASSERT_TRUE(decode_response(row, response));
    EXPECT_EQ(response.kind, Response::Kind::record);
    EXPECT_EQ(response.field_count, 2u);
    std::int64_t number = 0;
    EXPECT_TRUE(response.fields.read_int(number));
    EXPECT_EQ(number, 1);
    EXPECT_TRUE(decode_response(hex("B0 7E"), response));
    EXPECT_EQ(response.kind, Response::Kind::ignored);
    for (const char* wrong :
         {"", "A0", "B1 71", "B1 71 A0", "B1 10 A0", "B1 70 01", "B0 70", "B2 7F A0 A0"}) {
        EXPECT_FALSE(decode_response(hex(wrong), response)) << wrong;
    }
}

TEST(MessagesTest, MapsEachCodeToItsKind) {
    const std::pair<const char*, ErrorKind> cases[] = {
        {"Neo.ClientError.Security.Unauthorized", ErrorKind::authentication},
        {"Neo.ClientError.Security.AuthorizationExpired", ErrorKind::authentication},
        {"Neo.ClientError.Security.Forbidden", ErrorKind::authentication},
        {"Neo.ClientError.Database.DatabaseNotFound", ErrorKind::not_found},
        {"Neo.ClientError.Statement.SyntaxError", ErrorKind::rejected},
        {"Neo.ClientError.Schema.ConstraintValidationFailed", ErrorKind::conflict},
        {"Neo.TransientError.Transaction.DeadlockDetected", ErrorKind::unavailable},
        {"Neo.TransientError.General.MemoryPoolOutOfMemoryError", ErrorKind::overloaded},
        {"Neo.TransientError.Transaction.Terminated", ErrorKind::rejected},
        {"Neo.TransientError.Transaction.LockClientStopped", ErrorKind::rejected},
        {"Neo.ClientError.Cluster.NotALeader", ErrorKind::unavailable},
        {"Neo.ClientError.Transaction.TransactionTimedOut", ErrorKind::timeout},
        {"Neo.DatabaseError.General.UnknownError", ErrorKind::rejected},
    };
    for (const auto& [code, kind] : cases) {
        const Error old = failure_to_error({{"code", code}, {"message", "m"}}, "h:1", "u", "d");
        EXPECT_EQ(old.kind(), kind) << code;
        EXPECT_EQ(old.native_code(), code);
        const Error modern = failure_to_error(
            {{"neo4j_code", code}, {"message", "m"}, {"gql_status", "42N00"}}, "h:1", "u", "d");
        EXPECT_EQ(modern.kind(), kind) << code;
        EXPECT_EQ(modern.native_code(), code);
    }
}

TEST(MessagesTest, SaysWhoWasRefusedWhere) {
    const Error error = failure_to_error(
        {{"code", "Neo.ClientError.Security.Unauthorized"}, {"message", "The client is unauthorized"}}, "h:1",
        "x", "");
    EXPECT_STREQ(error.what(),
                 "Neo4j at h:1 refused the password for user 'x' (Neo.ClientError.Security.Unauthorized): "
                 "The client is "
                 "unauthorized. Check NEO4J_USER and NEO4J_PASSWORD.");
}

}  // namespace
}  // namespace crossover::bolt::test
