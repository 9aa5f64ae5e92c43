#include "milvus/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

namespace crossover::milvus {
namespace {

constexpr int kUnexpected = 65535;

std::optional<ErrorKind> kind_of_legacy(int code) {
    switch (code) {
        case 5:
            return ErrorKind::rejected;
        case 3:
            return ErrorKind::authentication;
        case 4:
        case 25:
        case 28:
            return ErrorKind::not_found;
        case 45:
        case 46:
        case 56:
        case 57:
            return ErrorKind::unavailable;
        case 48:
        case 49:
        case 52:
        case 53:
        case 54:
        case 55:
            return ErrorKind::overloaded;
        default:
            return std::nullopt;
    }
}

struct KnownCode {
    int code;
    ErrorKind kind;
};

// Names are those of pkg/util/merr/errors.go. A code that a write can meet is `overloaded` only where the
// proxy turns the request away at its door: nothing of it can arrive later.
constexpr KnownCode kKnownCodes[] = {
    {1, ErrorKind::unavailable},        // service not ready
    {2, ErrorKind::unavailable},        // service unavailable
    {3, ErrorKind::overloaded},         // memory limit exceeded
    {4, ErrorKind::overloaded},         // too many requests
    {5, ErrorKind::unavailable},        // internal: seen while a node restarts
    {6, ErrorKind::unavailable},        // cross cluster routing
    {7, ErrorKind::overloaded},         // disk limit exceeded
    {8, ErrorKind::overloaded},         // rate limit exceeded
    {9, ErrorKind::overloaded},         // quota exceeded, or writing denied
    {10, ErrorKind::rejected},          // a call that this server does not have
    {11, ErrorKind::overloaded},        // time tick long delay
    {12, ErrorKind::overloaded},        // resource insufficient
    {100, ErrorKind::not_found},        // collection
    {101, ErrorKind::unavailable},      // collection not loaded
    {103, ErrorKind::unavailable},      // collection not fully loaded
    {104, ErrorKind::conflict},         // collection already loaded
    {105, ErrorKind::conflict},         // illegal collection schema
    {106, ErrorKind::unavailable},      // collection on recovering
    {108, ErrorKind::conflict},         // collection under standby mode
    {109, ErrorKind::conflict},         // collection schema mismatch
    {110, ErrorKind::unavailable},      // collection schema version not ready
    {200, ErrorKind::not_found},        // partition
    {201, ErrorKind::unavailable},      // partition not loaded
    {202, ErrorKind::unavailable},      // partition not fully loaded
    {250, ErrorKind::overloaded},       // general capacity exceeded
    {305, ErrorKind::unavailable},      // resource group service unavailable
    {400, ErrorKind::unavailable},      // replica not found
    {401, ErrorKind::unavailable},      // replica not available
    {500, ErrorKind::unavailable},      // channel not found: while shards move, as all of this hundred
    {501, ErrorKind::unavailable},      // channel lacks
    {502, ErrorKind::unavailable},      // channel reduplicates
    {503, ErrorKind::unavailable},      // channel not available
    {504, ErrorKind::unavailable},      // channel checkpoint exceeds max lag
    {505, ErrorKind::unavailable},      // channel tsafe stalled
    {507, ErrorKind::unavailable},      // channel misrouted
    {600, ErrorKind::unavailable},      // segment not found
    {601, ErrorKind::unavailable},      // segment not loaded
    {602, ErrorKind::unavailable},      // segment lacks
    {603, ErrorKind::unavailable},      // segment reduplicates
    {604, ErrorKind::unavailable},      // segment load failed
    {605, ErrorKind::unavailable},      // segment request resource failed
    {700, ErrorKind::not_found},        // index
    {702, ErrorKind::conflict},         // index duplicates
    {703, ErrorKind::conflict},         // task duplicates
    {800, ErrorKind::not_found},        // database
    {901, ErrorKind::unavailable},      // node not found
    {902, ErrorKind::unavailable},      // node offline
    {903, ErrorKind::unavailable},      // node lacks
    {904, ErrorKind::unavailable},      // node not match
    {905, ErrorKind::unavailable},      // node not available
    {906, ErrorKind::unavailable},      // node state unexpected
    {1000, ErrorKind::unavailable},     // IO: key not found
    {1001, ErrorKind::unavailable},     // IO failed
    {1002, ErrorKind::unavailable},     // IO: unexpected EOF
    {1003, ErrorKind::unavailable},     // IO: too many requests
    {1100, ErrorKind::rejected},        // invalid parameter
    {1101, ErrorKind::rejected},        // missing parameter
    {1102, ErrorKind::too_large},       // parameter too large
    {1300, ErrorKind::unavailable},     // topic not found
    {1302, ErrorKind::unavailable},     // message queue internal error
    {1303, ErrorKind::overloaded},      // writing to the message queue denied
    {1400, ErrorKind::authentication},  // not authenticated
    {1401, ErrorKind::authentication},  // privilege not permitted
    {1600, ErrorKind::not_found},       // alias
    {1601, ErrorKind::conflict},        // alias and collection name
    {1602, ErrorKind::conflict},        // alias already exists
    {1603, ErrorKind::not_found},       // collection of the alias
    {1701, ErrorKind::rejected},        // field name invalid
    {1800, ErrorKind::authentication},  // user hasn't authenticated
    {1804, ErrorKind::rejected},        // invalid insert data
    {1807, ErrorKind::overloaded},      // rejected by limiter
    {2037, ErrorKind::unavailable},     // segcore: other exception
    {2038, ErrorKind::timeout},         // segcore: cancelled
    {2200, ErrorKind::unavailable},     // inconsistent requery; segcore: other exception
    {2201, ErrorKind::timeout},     // segcore: cancelled; flagged as input error since 2.6: query plan failed
    {2401, ErrorKind::overloaded},  // data node slot exhausted
    {3000, ErrorKind::rejected},    // unsupported operation
    {10000, ErrorKind::timeout},    // cancelled within the server
    {10001, ErrorKind::timeout},    // deadline passed within the server
};

std::optional<ErrorKind> find_code(int code) {
    const auto* const found = std::find_if(std::begin(kKnownCodes), std::end(kKnownCodes),
                                           [&](const KnownCode& known) { return known.code == code; });
    if (found == std::end(kKnownCodes)) return std::nullopt;
    return found->kind;
}

bool passes(ErrorKind kind) {
    return kind == ErrorKind::unavailable || kind == ErrorKind::overloaded || kind == ErrorKind::timeout;
}

class Sentence {
  public:
    explicit Sentence(std::string_view text) : text_(text) {}
    template <class... Parts>
    bool says(Parts... parts) const {
        return ((text_.find(parts) != std::string_view::npos) || ...);
    }

  private:
    std::string_view text_;
};

/// Go's words for a call whose time was up, or that was given up, and 2.3.5's own for the same.
bool tells_of_a_deadline(const Sentence& sentence) {
    return sentence.says("context deadline exceeded", "context canceled", "context Done", "context done",
                         "DeadlineExceeded", "deadline exceeded");
}

// Servers of 2.3 answer much of what they expect with "unexpected error" and a sentence.
std::optional<ErrorKind> kind_of_sentence(const Sentence& sentence) {
    // Its parts look for each other, after a restart above all; it has given up for now.
    if (sentence.says("attempt #", "node not ", "node offline", "session not found", "service not ready",
                      "service unavailable", "code = Unavailable", "channel not ", "segment not ",
                      "replica not ")) {
        return ErrorKind::unavailable;
    }
    if (sentence.says("already exist", "duplicate", "at most one distinct index")) return ErrorKind::conflict;
    if (sentence.says("not loaded", "not fully loaded")) return ErrorKind::unavailable;
    if (sentence.says("not found", "not exist")) return ErrorKind::not_found;
    if (sentence.says("exceeds max length", "not a number or infinity", "should divide the dim",
                      "cannot parse expression", "invalid parameter", "invalid expression", "is illegal",
                      "not supported")) {
        return ErrorKind::rejected;
    }
    return std::nullopt;
}

bool is_not_loaded(int code, std::string_view reason) {
    return code == 101 || code == 201 || reason.find("not loaded") != std::string_view::npos;
}

std::string_view advice(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::unreachable:
            return "Check that Milvus runs there and that host, port and http/https are right.";
        case ErrorKind::timeout:
            return "Milvus is slow or stuck: check its load and health, then try again; a write may still be "
                   "applied.";
        case ErrorKind::authentication:
            return "Check the Milvus token ('user:password' or an API key) and its privileges.";
        case ErrorKind::not_found:
            return "Check the names of the database and the collection.";
        case ErrorKind::conflict:
            return "Choose another name, or drop what is there first.";
        case ErrorKind::too_large:
            return "Send fewer rows in one request.";
        case ErrorKind::overloaded:
            return "Try again later, or raise the server's limits or memory.";
        case ErrorKind::unavailable:
            return "Wait until the server is ready; its own log says what it is at.";
        case ErrorKind::protocol:
            return "Check that this is the gRPC port of a Milvus 2.3 or newer, and http or https as it "
                   "wants.";
        default:
            return "Correct the request as the server says.";
    }
}

/// Without the stack traces that servers send along, and not endless.
std::string sentence_end(std::string_view text) {
    constexpr std::size_t kLongest = 400;
    if (const auto trace = text.find("stack trace:"); trace != std::string_view::npos) {
        const auto last_line = text.rfind('\n');
        const auto message = text.find(": ", last_line == std::string_view::npos ? trace + 12 : last_line);
        if (message != std::string_view::npos) text.remove_prefix(message + 2);
    }
    if (text.size() > kLongest) text = text.substr(0, kLongest);
    while (!text.empty() && (text.back() == '.' || text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    return std::string(text);
}

Error compose(std::string_view address, std::string_view operation, ErrorKind kind, std::string_view text,
              const std::string& code, std::string_view advice) {
    return Error(
        System::milvus, kind,
        fmt::format("{}: {} failed: {} (code {}). {}", address, operation, sentence_end(text), code, advice),
        code);
}

/// More exact than the kind's where the operator of the server has set a limit or released something.
std::string_view advice(const ServerStatus& status, ErrorKind kind) {
    const int code = status.deciding_code();
    if (kind == ErrorKind::unavailable && is_not_loaded(code, status.reason)) {
        return "It is not in memory, because it was released or Milvus was restarted: load it "
               "(load_collection of any client), or run 'migrate migrate-embeddings', which does.";
    }
    if (kind == ErrorKind::protocol) {
        return "Crossover does not know this code, so a write may or may not have been applied: look into "
               "Milvus's "
               "log, and report the code.";
    }
    if (kind != ErrorKind::overloaded) return advice(kind);
    switch (code) {
        case 3:
        case 52:
        case 53:
            return "Milvus is at its limit of memory: give it more, or raise quotaAndLimits.limitWriting."
                   "memProtection in milvus.yaml; what waits goes on by itself.";
        case 7:
        case 54:
            return "Milvus is at its limit of disk: make room, or raise quotaAndLimits.limitWriting."
                   "diskProtection in milvus.yaml; what waits goes on by itself.";
        case 9:
        case 48:
        case 1303:
            return "Milvus has been told to take no writes, or a quota is used up: see quotaAndLimits in "
                   "milvus.yaml (limitWriting.forceDeny); what waits goes on by itself.";
        case 8:
        case 49:
        case 1807:
            return "Milvus limits the rate: go slower (--rate-limit), or raise quotaAndLimits.dml (or "
                   ".flush, "
                   ".dql) in milvus.yaml; what waits goes on by itself.";
        default:
            return advice(kind);
    }
}

}  // namespace

int ServerStatus::deciding_code() const {
    return (code == 0 || code == kUnexpected) && legacy_code > 1 ? legacy_code
           : code != 0                                           ? code
                                                                 : legacy_code;
}

ErrorKind kind_of(const ServerStatus& status) {
    const Sentence sentence(status.reason);
    const bool coded = status.code != 0 && status.code != kUnexpected;
    const auto known = coded ? find_code(status.code) : kind_of_legacy(status.legacy_code);
    // What the server had begun for the call, it may go on with.
    if (!status.input_error && (tells_of_a_deadline(sentence) || known == ErrorKind::timeout)) {
        return ErrorKind::timeout;
    }
    if (status.retriable) return known && passes(*known) ? *known : ErrorKind::unavailable;
    if (status.input_error) return known && !passes(*known) ? *known : ErrorKind::rejected;
    // "Illegal argument" of old is more than a refusal where the sentence is more exact.
    if (known && (coded || *known != ErrorKind::rejected)) return *known;
    if (const auto told = kind_of_sentence(sentence)) return *told;
    return known.value_or(ErrorKind::protocol);
}

ErrorKind kind_of_grpc(int grpc_code, std::string_view text) {
    const auto says = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    switch (grpc_code) {
        case 1:  // we cancel nothing: the server, or something between, gave it up
        case 4:
            return ErrorKind::timeout;
        case 7:
        case 16:
            return ErrorKind::authentication;
        case 5:
            return ErrorKind::not_found;
        case 6:
            return ErrorKind::conflict;
        case 8:
            // Whatever stands between may have handed the request on before it ran out of something.
            return says("larger than max") ? ErrorKind::too_large : ErrorKind::unavailable;
        case 12:
            return ErrorKind::protocol;
        case 14:
            // A server that is starting accepts connections before it answers.
            if (says("timed out before receiving SETTINGS")) return ErrorKind::unreachable;
            return says("SETTINGS frame") || says("parsing HTTP/2") || says("http1.x") ||
                           says("WRONG_VERSION_NUMBER") || says("Ssl handshake failed")
                       ? ErrorKind::protocol
                       : ErrorKind::unreachable;
        case 10:
            return ErrorKind::unavailable;
        case 15:
            return ErrorKind::unreachable;
        case 2:
        case 13:
            return says("http1.x") || says("HTTP status code") ? ErrorKind::protocol : ErrorKind::unreachable;
        default:  // not Milvus's judgement of what was sent: that comes inside an answer
            return ErrorKind::protocol;
    }
}

std::string_view grpc_code_name(int grpc_code) {
    static constexpr std::array<std::string_view, 17> kNames = {
        "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"};
    return grpc_code >= 0 && static_cast<std::size_t>(grpc_code) < kNames.size()
               ? kNames[static_cast<std::size_t>(grpc_code)]
               : "UNKNOWN";
}

Error make_error(std::string_view address, std::string_view operation, const ServerStatus& status) {
    const ErrorKind kind = kind_of(status);
    return compose(address, operation, kind, status.reason.empty() ? "no reason given" : status.reason,
                   std::to_string(status.deciding_code()), advice(status, kind));
}

Error make_grpc_error(std::string_view address, std::string_view operation, int grpc_code,
                      std::string_view text) {
    const ErrorKind kind = kind_of_grpc(grpc_code, text);
    return compose(address, operation, kind, text.empty() ? "no reason given" : text,
                   std::string(grpc_code_name(grpc_code)), advice(kind));
}

}  // namespace crossover::milvus
