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
    const TransactionExtra extra{"db", AccessMode::read, {"b1", "b2"}, std::chrono::milliseconds(5)};
    EXPECT_TRUE(encode_begin(bytes, extra));
    Decoder decoder(bytes);
    StructHeader header;
    Map map;
    ASSERT_TRUE(decoder.read_struct_header(header));
    ASSERT_TRUE(decoder.read_map(map));
    EXPECT_EQ(header.tag, 0x11);
    EXPECT_EQ(map, (Map{{"db", "db"}, {"mode", "r"}, {"bookmarks", List{"b1", "b2"}}, {"tx_timeout", 5}}));
}

TEST(MessagesTest, NeverSaysThatATransactionMayLastForEver) {
    for (const int milliseconds : {0, -1}) {
        Bytes bytes;
        EXPECT_TRUE(
            encode_begin(bytes, {"", AccessMode::write, {}, std::chrono::milliseconds(milliseconds)}));
        EXPECT_EQ(to_hex(bytes), "B1 11 A1 8A 74 78 5F 74 69 6D 65 6F 75 74 01");
    }
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
        {"Neo.ClientError.Security.AuthorizationExpired", ErrorKind::unavailable},
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

TEST(MessagesTest, KeepsTheServersWordsAndShowsTheInnermostCause) {
    const Map innermost{
        {"gql_status", "22G03"}, {"description", "invalid value type"}, {"message", "b is text"}};
    const Map middle{{"gql_status", "22N01"}, {"message", "no number"}, {"cause", innermost}};
    const Error error = failure_to_error({{"neo4j_code", "Neo.ClientError.Statement.TypeError"},
                                          {"message", "Something went wrong."},
                                          {"gql_status", "22000"},
                                          {"description", "error: data exception"},
                                          {"cause", middle}},
                                         "h:1", "u", "d");
    EXPECT_EQ(error.server_words().message, "Something went wrong.");
    EXPECT_EQ(error.server_words().gql_status, "22000");
    EXPECT_EQ(error.server_words().description, "error: data exception");
    EXPECT_EQ(error.server_words().cause, "b is text");
    EXPECT_STREQ(
        error.what(),
        "Neo4j at h:1 refused (Neo.ClientError.Statement.TypeError): Something went wrong. Its cause: b "
        "is text");
    const Error said = failure_to_error({{"code", "Neo.ClientError.Statement.TypeError"},
                                         {"message", "b is text, not a number"},
                                         {"cause", middle}},
                                        "h:1", "u", "d");
    EXPECT_STREQ(said.what(),
                 "Neo4j at h:1 refused (Neo.ClientError.Statement.TypeError): b is text, not a number");
    const Error old = failure_to_error({{"code", "Neo.ClientError.Statement.TypeError"}, {"message", "m"}},
                                       "h:1", "u", "d");
    EXPECT_EQ(old.server_words().message, "m");
    EXPECT_EQ(old.server_words().cause, "");
}

TEST(MessagesTest, SaysThatATransactionTookTooLong) {
    // What Neo4j 5.26 and 2025.10 answer where their own db.transaction.timeout ended it, too.
    const Error error =
        failure_to_error({{"code", "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration"},
                          {"message", "The transaction has been terminated."}},
                         "h:1", "u", "d");
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
    EXPECT_STREQ(
        error.what(),
        "Neo4j at h:1 ended a transaction that took longer than it was given "
        "(Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration): The transaction has been "
        "terminated. Look what keeps Neo4j busy, and try again.");
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
