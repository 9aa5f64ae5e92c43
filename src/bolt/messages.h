#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bolt/auth.h"
#include "bolt/handshake.h"
#include "bolt/packstream.h"
#include "bolt/parameters.h"
#include "bolt/uri.h"
#include "bolt/value.h"

/// Bolt messages to and from bytes, without I/O (github.com/neo4j/docs-bolt, "Messages").
namespace crossover::bolt {

enum class AccessMode { read, write };

/// What RUN (auto-commit) and BEGIN say beside the query.
struct TransactionExtra {
    std::string database;  ///< empty = the user's home database
    AccessMode access = AccessMode::write;
    std::vector<std::string> bookmarks;
    /// After which the server ends the transaction, at least 1 ms: to a server 0 means never. From Neo4j 5.3
    /// it beats the server's db.transaction.timeout; before, the shorter one holds.
    std::chrono::milliseconds timeout{1};
};

// Each appends one message, not chunked, to `out`; false where a value in it cannot be encoded.
bool encode_hello(Bytes& out, Version version, const std::string& user_agent, const AuthToken& auth,
                  const Map* routing_context);
bool encode_logon(Bytes& out, const AuthToken& auth);
bool encode_run(Bytes& out, const std::string& query, const Parameters& parameters,
                const TransactionExtra* extra);
bool encode_begin(Bytes& out, const TransactionExtra& extra);
bool encode_pull(Bytes& out, std::int64_t n);
bool encode_discard(Bytes& out, std::int64_t n);
bool encode_route(Bytes& out, const Map& context, const std::vector<std::string>& bookmarks,
                  const std::string& database);
bool encode_commit(Bytes& out);
bool encode_rollback(Bytes& out);
bool encode_reset(Bytes& out);
bool encode_goodbye(Bytes& out);

struct Response {
    enum class Kind { success, record, ignored, failure };
    Kind kind = Kind::success;
    Map metadata;                 ///< of success and failure
    std::size_t field_count = 0;  ///< of a record
    Decoder fields{{}};           ///< of a record: stands before its first field, in the message
};

/// Reads one message into `response`; false where it is none that a server may send.
bool decode_response(std::span<const std::byte> message, Response& response);

/// The user must be authenticated anew, which a new connection does: nothing is wrong with the password.
inline constexpr std::string_view kAuthorizationExpired = "Neo.ClientError.Security.AuthorizationExpired";

/// The server's FAILURE as an error. `server` is its address; it, the user and the database are for the
/// sentence.
Error failure_to_error(const Map& metadata, const std::string& server, const std::string& user,
                       const std::string& database);

}  // namespace crossover::bolt
