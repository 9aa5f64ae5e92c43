#include "bolt/messages.h"

#include <fmt/format.h>

#include <algorithm>

namespace crossover::bolt {

namespace {

// Names this library, where the user agent names the program.
constexpr std::string_view kBoltAgent = "crossover-bolt/0.1.0";

enum Tag : std::uint8_t {
    kHello = 0x01,
    kGoodbye = 0x02,
    kReset = 0x0F,
    kRun = 0x10,
    kBegin = 0x11,
    kCommit = 0x12,
    kRollback = 0x13,
    kDiscard = 0x2F,
    kPull = 0x3F,
    kRoute = 0x66,
    kLogon = 0x6A,
    kSuccess = 0x70,
    kRecord = 0x71,
    kIgnored = 0x7E,
    kFailure = 0x7F
};

bool encode_bare(Bytes& out, Tag tag) {
    Encoder encoder(out);
    encoder.write_struct_header(0, tag);
    return encoder.ok();
}

bool encode_with_map(Bytes& out, Tag tag, const Map& map) {
    Encoder encoder(out);
    encoder.write_struct_header(1, tag);
    encoder.write_map(map);
    return encoder.ok();
}

Map to_map(const TransactionExtra& extra) {
    Map map;
    if (!extra.database.empty()) map.append("db", extra.database);
    if (extra.access == AccessMode::read) map.append("mode", "r");
    if (!extra.bookmarks.empty())
        map.append("bookmarks", List(extra.bookmarks.begin(), extra.bookmarks.end()));
    map.append("tx_timeout", std::max<std::int64_t>(1, extra.timeout.count()));
    return map;
}

std::string text_of(const Map& map, std::string_view key) {
    const auto* text = map.get_if<std::string>(key);
    return text == nullptr ? std::string() : *text;
}

/// What the innermost of the causes says (from Bolt 5.7); empty where there is none.
std::string innermost_cause(const Map& metadata) {
    const Map* cause = metadata.get_if<Map>("cause");
    if (cause == nullptr) return {};
    while (const Map* deeper = cause->get_if<Map>("cause")) cause = deeper;
    auto message = text_of(*cause, "message");
    return message.empty() ? text_of(*cause, "description") : message;
}

/// Meaning of Neo4j's codes: Neo4j's "Status codes" manual, as of 5.26.
ErrorKind kind_of(std::string_view code) {
    constexpr std::pair<std::string_view, ErrorKind> kKinds[] = {
        // Called transient, but mean that somebody ended the transaction on purpose.
        {"Neo.TransientError.Transaction.Terminated", ErrorKind::rejected},
        {"Neo.TransientError.Transaction.LockClientStopped", ErrorKind::rejected},
        {"Neo.TransientError.General.MemoryPoolOutOfMemoryError", ErrorKind::overloaded},
        {"Neo.TransientError.General.OutOfMemoryError", ErrorKind::overloaded},
        {"Neo.TransientError.Request.NoThreadsAvailable", ErrorKind::overloaded},
        {"Neo.TransientError.", ErrorKind::unavailable},
        {"Neo.ClientError.Cluster.NotALeader", ErrorKind::unavailable},
        {"Neo.ClientError.General.ForbiddenOnReadOnlyDatabase", ErrorKind::unavailable},
        {kAuthorizationExpired, ErrorKind::unavailable},
        {"Neo.ClientError.Security.", ErrorKind::authentication},
        {"Neo.ClientError.Database.DatabaseNotFound", ErrorKind::not_found},
        {"Neo.ClientError.Schema.ConstraintValidationFailed", ErrorKind::conflict},
        {"Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists", ErrorKind::conflict},
        {"Neo.ClientError.Schema.ConstraintAlreadyExists", ErrorKind::conflict},
        {"Neo.ClientError.Schema.IndexAlreadyExists", ErrorKind::conflict},
        {"Neo.ClientError.Schema.IndexWithNameAlreadyExists", ErrorKind::conflict},
        {"Neo.ClientError.Schema.ConstraintWithNameAlreadyExists", ErrorKind::conflict},
        {"Neo.ClientError.Transaction.TransactionTimedOut", ErrorKind::timeout},
    };
    for (const auto& [prefix, kind] : kKinds) {
        if (code.starts_with(prefix)) return kind;
    }
    return ErrorKind::rejected;
}

}  // namespace

bool encode_hello(Bytes& out, Version version, const std::string& user_agent, const AuthToken& auth,
                  const Map* routing_context) {
    Map map;
    map.append("user_agent", user_agent);
    // Mandatory from 5.3, unknown before.
    if (version >= Version{5, 3}) {
        map.append("bolt_agent", Map{{"product", kBoltAgent}, {"language", "C++/20"}});
    }
    if (routing_context != nullptr) map.append("routing", *routing_context);
    if (version < Version{5, 1}) {
        for (const auto& field : auth.fields()) map.append(field.key, field.value);
    }
    return encode_with_map(out, kHello, map);
}

bool encode_logon(Bytes& out, const AuthToken& auth) {
    return encode_with_map(out, kLogon, auth.fields());
}

bool encode_run(Bytes& out, const std::string& query, const Parameters& parameters,
                const TransactionExtra* extra) {
    Encoder encoder(out);
    encoder.write_struct_header(3, kRun);
    encoder.write_string(query);
    parameters.write(encoder);
    encoder.write_map(extra != nullptr ? to_map(*extra) : Map());
    return encoder.ok();
}

bool encode_begin(Bytes& out, const TransactionExtra& extra) {
    return encode_with_map(out, kBegin, to_map(extra));
}
bool encode_pull(Bytes& out, std::int64_t n) {
    return encode_with_map(out, kPull, {{"n", n}});
}
bool encode_discard(Bytes& out, std::int64_t n) {
    return encode_with_map(out, kDiscard, {{"n", n}});
}

bool encode_route(Bytes& out, const Map& context, const std::vector<std::string>& bookmarks,
                  const std::string& database) {
    Encoder encoder(out);
    encoder.write_struct_header(3, kRoute);
    encoder.write_map(context);
    encoder.write_value(List(bookmarks.begin(), bookmarks.end()));
    encoder.write_map(database.empty() ? Map() : Map{{"db", database}});
    return encoder.ok();
}

bool encode_commit(Bytes& out) {
    return encode_bare(out, kCommit);
}
bool encode_rollback(Bytes& out) {
    return encode_bare(out, kRollback);
}
bool encode_reset(Bytes& out) {
    return encode_bare(out, kReset);
}
bool encode_goodbye(Bytes& out) {
    return encode_bare(out, kGoodbye);
}

bool decode_response(std::span<const std::byte> message, Response& response) {
    Decoder decoder(message);
    StructHeader header;
    if (!decoder.read_struct_header(header)) return false;
    switch (header.tag) {
        case kRecord:
            if (header.fields != 1 || !decoder.read_list_header(response.field_count)) return false;
            response.kind = Response::Kind::record;
            response.fields = decoder;
            return true;
        case kIgnored:
            response.kind = Response::Kind::ignored;
            return true;
        case kSuccess:
        case kFailure:
            if (header.fields != 1 || !decoder.read_map(response.metadata)) return false;
            response.kind = header.tag == kSuccess ? Response::Kind::success : Response::Kind::failure;
            return true;
        default:
            return false;
    }
}

Error failure_to_error(const Map& metadata, const std::string& server, const std::string& user,
                       const std::string& database) {
    std::string code = text_of(metadata, "neo4j_code");  // From Bolt 5.7; "code" before.
    if (code.empty()) code = text_of(metadata, "code");
    ServerWords words{text_of(metadata, "message"), text_of(metadata, "gql_status"),
                      text_of(metadata, "description"), innermost_cause(metadata)};
    if (code.empty()) code = words.gql_status;
    const ErrorKind kind = kind_of(code);
    // The outer sentence may say no more than that something went wrong.
    const bool new_cause = !words.cause.empty() && words.message.find(words.cause) == std::string::npos;
    std::string said =
        new_cause ? fmt::format("{} Its cause: {}", words.message, words.cause) : words.message;
    if (said.ends_with('.')) said.pop_back();
    const std::string who = user.empty() ? "this client" : fmt::format("user '{}'", user);
    std::string sentence;
    if (code == "Neo.ClientError.Security.Unauthorized") {
        sentence =
            user.empty()
                ? fmt::format("Neo4j at {} refused the credentials ({}): {}. ", server, code, said)
                : fmt::format("Neo4j at {} refused the password for {} ({}): {}. ", server, who, code, said);
        sentence += "Check NEO4J_USER and NEO4J_PASSWORD.";
    } else if (kind == ErrorKind::authentication) {
        sentence = fmt::format(
            "Neo4j at {} does not permit this to {} ({}): {}. Check the user's password and rights.", server,
            who, code, said);
    } else if (kind == ErrorKind::not_found) {
        sentence = fmt::format("Neo4j at {} has no database '{}' ({}): {}. Check NEO4J_DATABASE.", server,
                               database, code, said);
    } else if (kind == ErrorKind::timeout) {
        sentence = fmt::format(
            "Neo4j at {} ended a transaction that took longer than it was given ({}): {}. Look what keeps "
            "Neo4j "
            "busy, and try again.",
            server, code, said);
    } else if (kind == ErrorKind::unavailable || kind == ErrorKind::overloaded) {
        sentence =
            fmt::format("Neo4j at {} cannot do this now ({}): {}. Try again later.", server, code, said);
    } else {
        sentence = fmt::format("Neo4j at {} refused ({}): {}", server, code, said);
    }
    return Error(System::neo4j, kind, sentence, code, std::move(words));
}

}  // namespace crossover::bolt
