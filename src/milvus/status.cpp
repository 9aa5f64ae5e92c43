#include "milvus/status.h"

#include <fmt/format.h>

#include <array>

namespace crossover::milvus {
namespace {

constexpr int kUnexpected = 65535;

ErrorKind kind_of_legacy(int code) {
    switch (code) {
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
            return ErrorKind::rejected;
    }
}

// Servers of 2.3 still answer some expected refusals with "unexpected error" and a sentence.
ErrorKind kind_of_sentence(std::string_view reason) {
    const auto says = [&](std::string_view part) { return reason.find(part) != std::string_view::npos; };
    // Its parts look for each other, after a restart above all; it has given up for now.
    if (says("attempt #") || says("node not ") || says("session not found")) return ErrorKind::unavailable;
    if (says("already exist") || says("duplicate") || says("at most one distinct index"))
        return ErrorKind::conflict;
    if (says("not loaded")) return ErrorKind::unavailable;
    if (says("not found") || says("not exist")) return ErrorKind::not_found;
    return ErrorKind::rejected;
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
            return "Load the collection, or wait until the server is ready.";
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
              const std::string& code) {
    return Error(System::milvus, kind,
                 fmt::format("{}: {} failed: {} (code {}). {}", address, operation, sentence_end(text), code,
                             advice(kind)),
                 code);
}

}  // namespace

int ServerStatus::deciding_code() const {
    return (code == 0 || code == kUnexpected) && legacy_code > 1 ? legacy_code
           : code != 0                                           ? code
                                                                 : legacy_code;
}

ErrorKind kind_of(const ServerStatus& status) {
    if (status.code == 0 || status.code == kUnexpected) {
        const ErrorKind kind = kind_of_legacy(status.legacy_code);
        return kind == ErrorKind::rejected ? kind_of_sentence(status.reason) : kind;
    }
    switch (status.code) {
        case 1:    // not ready
        case 2:    // unavailable
        case 5:    // internal: seen while a node restarts
        case 101:  // collection not loaded
        case 103:  // collection not fully loaded
        case 106:  // collection recovering
        case 201:  // partition not loaded
        case 202:  // partition not fully loaded
        case 400:  // no replica
        case 401:  // replica not available
        case 500:  // channels, segments and nodes: while shards move
        case 501:
        case 503:
        case 600:
        case 601:
        case 602:
        case 901:
        case 902:
        case 903:
        case 904:
            return ErrorKind::unavailable;
        case 3:   // memory limit
        case 4:   // too many requests
        case 7:   // disk limit
        case 8:   // rate limit
        case 9:   // quota exceeded, or writing denied
        case 11:  // time tick too old
        case 12:  // resources
            return ErrorKind::overloaded;
        case 100:   // collection
        case 200:   // partition
        case 700:   // index
        case 800:   // database
        case 1600:  // alias
            return ErrorKind::not_found;
        case 1102:
            return ErrorKind::too_large;
        case 1400:
        case 1401:
            return ErrorKind::authentication;
        case 1601:
        case 1602:
            return ErrorKind::conflict;
        default:
            return kind_of_sentence(status.reason);
    }
}

ErrorKind kind_of_grpc(int grpc_code, std::string_view text) {
    const auto says = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    switch (grpc_code) {
        case 1:
            return ErrorKind::cancelled;
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
            return says("larger than max") ? ErrorKind::too_large : ErrorKind::overloaded;
        case 12:
            return ErrorKind::protocol;
        case 14:
            // A server that is starting accepts connections before it answers.
            if (says("timed out before receiving SETTINGS")) return ErrorKind::unreachable;
            return says("SETTINGS frame") || says("parsing HTTP/2") || says("http1.x") ||
                           says("WRONG_VERSION_NUMBER") || says("Ssl handshake failed")
                       ? ErrorKind::protocol
                       : ErrorKind::unreachable;
        case 2:
        case 13:
            return says("http1.x") || says("HTTP status code") ? ErrorKind::protocol : ErrorKind::unreachable;
        default:
            return ErrorKind::rejected;
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
    return compose(address, operation, kind_of(status),
                   status.reason.empty() ? "no reason given" : status.reason,
                   std::to_string(status.deciding_code()));
}

Error make_grpc_error(std::string_view address, std::string_view operation, int grpc_code,
                      std::string_view text) {
    return compose(address, operation, kind_of_grpc(grpc_code, text), text.empty() ? "no reason given" : text,
                   std::string(grpc_code_name(grpc_code)));
}

}  // namespace crossover::milvus
