#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace crossover {

/// Where an error came from: decides nothing by itself, but tells the operator where to look.
enum class System { config, file, neo4j, milvus, postgres, redis, internal };

/// What kind of failure it is. Exit codes and retries follow from the kind, never from message text.
enum class ErrorKind {
    usage,           ///< a flag, environment variable or configuration file is wrong
    unreachable,     ///< no connection could be made, or it was lost
    timeout,         ///< a deadline passed; for a write the outcome is unknown
    authentication,  ///< wrong user, password or token; or not permitted
    not_found,       ///< the named database, collection, index or file does not exist
    conflict,        ///< it exists already and differs from what is needed; or someone else holds it
    rejected,        ///< the server understood and refused: bad query, bad value
    too_large,       ///< over a size limit of the server or of ours
    overloaded,      ///< rate limit, memory or quota: passes with time
    unavailable,     ///< the server is up but cannot serve this now (starting, no leader, not loaded)
    protocol,        ///< bytes that the protocol does not allow
    not_ready,       ///< refused by us: a precondition of the command does not hold
    io,              ///< a local file or device failed
    cancelled,       ///< stopped on request
    internal         ///< a bug
};

std::string_view to_string(System system);
std::string_view to_string(ErrorKind kind);

/// A server's own account of a failure, as far as it gives one: the rest is empty.
struct ServerWords {
    std::string message;
    std::string gql_status;   ///< five letters and digits of ISO GQL, e.g. "42N01"
    std::string description;  ///< of the GQL status
    std::string cause;        ///< what the innermost of the failure's causes says
};

/// The one exception of Crossover. Stores and sessions throw it; codecs and state machines never throw.
///
/// `what()` is a full sentence for a person: what failed, against which server or file, what to do next.
/// `native_code` is the server's own code ("Neo.ClientError.Security.Unauthorized", "1100", "28P01"), or
/// empty.
class Error : public std::runtime_error {
  public:
    Error(System system, ErrorKind kind, const std::string& message, std::string native_code = {},
          ServerWords server_words = {})
        : std::runtime_error(message),
          system_(system),
          kind_(kind),
          native_code_(std::move(native_code)),
          server_words_(std::move(server_words)) {}

    System system() const noexcept { return system_; }
    ErrorKind kind() const noexcept { return kind_; }
    const std::string& native_code() const noexcept { return native_code_; }
    const ServerWords& server_words() const noexcept { return server_words_; }

    /// True where the same call may succeed later without anybody changing anything.
    /// A write that timed out is retryable, but its outcome is unknown: it may still be applied.
    bool retryable() const noexcept {
        return kind_ == ErrorKind::unreachable || kind_ == ErrorKind::timeout ||
               kind_ == ErrorKind::overloaded || kind_ == ErrorKind::unavailable;
    }

    /// True where a write may or may not have been applied, now or later.
    bool outcome_unknown() const noexcept {
        return kind_ == ErrorKind::timeout || kind_ == ErrorKind::unreachable;
    }

  private:
    System system_;
    ErrorKind kind_;
    std::string native_code_;
    ServerWords server_words_;
};

}  // namespace crossover
