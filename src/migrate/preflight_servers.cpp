#include <fmt/format.h>
#include <libpq-fe.h>

#include <boost/url.hpp>
#include <charconv>
#include <memory>

#include "bolt/driver.h"
#include "core/address.h"
#include "core/text.h"
#include "migrate/preflight.h"
#include "milvus/client.h"
#include "redis/connection.h"

namespace crossover::migrate {
namespace {

constexpr int kSeconds = 10;

struct Requirement {
    System system;
    const char* name;
    const char* minimum;
    const char* setting;
};

const Requirement& requirement(System system) {
    static constexpr Requirement kAll[] = {
        {System::neo4j, "Neo4j", "5.15", "NEO4J_URI"},
        {System::milvus, "Milvus", "2.3", "MILVUS_URI"},
        {System::postgres, "PostgreSQL", "15", "DATABASE_URL"},
        {System::redis, "Redis", "7", "REDIS_URL"},
    };
    for (const auto& one : kAll) {
        if (one.system == system) return one;
    }
    throw Error(System::internal, ErrorKind::internal, "no such server");
}

ServerState begin(System system, const std::string& address) {
    const auto& required = requirement(system);
    ServerState state;
    state.system = system;
    state.name = required.name;
    state.minimum = required.minimum;
    state.address = address;
    state.configured = true;
    return state;
}

void fail(ServerState& state, ErrorKind kind, std::string problem) {
    state.kind = kind;
    state.problem = std::move(problem);
}

void judge_version(ServerState& state, std::string version) {
    state.reached = true;
    state.version = std::move(version);
    state.new_enough = version_at_least(state.version, state.minimum);
    if (!state.new_enough) {
        fail(state, ErrorKind::not_ready,
             fmt::format("{} at {} is version {}; at least {} is needed. Upgrade it first.", state.name,
                         state.address, state.version, state.minimum));
    }
}

std::string first_line(const char* text) {
    std::string line(text == nullptr ? "" : text);
    line = line.substr(0, line.find('\n'));
    while (!line.empty() && (line.back() == '.' || line.back() == ' ')) line.pop_back();
    return line;
}

std::vector<int> numbers_of(const std::string& version) {
    std::vector<int> numbers;
    const char* at = version.data();
    const char* end = at + version.size();
    while (at != end && (*at < '0' || *at > '9')) ++at;
    while (at != end) {
        int number = 0;
        const auto [stop, error] = std::from_chars(at, end, number);
        if (error != std::errc()) break;
        numbers.push_back(number);
        if (stop == end || *stop != '.') break;
        at = stop + 1;
    }
    return numbers;
}

}  // namespace

bool version_at_least(const std::string& version, const std::string& minimum) {
    const auto have = numbers_of(version);
    const auto want = numbers_of(minimum);
    return !have.empty() && !std::lexicographical_compare(have.begin(), have.end(), want.begin(), want.end());
}

ServerState not_configured(System system) {
    auto state = begin(system, "");
    state.configured = false;
    return state;
}

ServerState misconfigured(System system, const std::string& address, const Error& error) {
    auto state = begin(system, address);
    fail(state, error.kind(), error.what());
    return state;
}

ServerState check_neo4j(bolt::Driver& driver, const std::string& address, const std::string& database) {
    auto state = begin(System::neo4j, address);
    try {
        const auto info =
            driver.verify_connectivity(database, Deadline::after(std::chrono::seconds(kSeconds)));
        judge_version(state, info.agent.substr(info.agent.find('/') + 1));
    } catch (const Error& error) {
        fail(state, error.kind(), error.what());
    }
    return state;
}

ServerState check_milvus(milvus::Client& client, const std::string& address) {
    auto state = begin(System::milvus, address);
    try {
        const auto version = client.check_connection(Deadline::after(std::chrono::seconds(kSeconds)));
        judge_version(state, version.text);
    } catch (const Error& error) {
        fail(state, error.kind(), error.what());
    }
    return state;
}

ServerState check_postgres(const std::string& url) {
    auto state = begin(System::postgres, shown_address(url));
    const std::string seconds = std::to_string(kSeconds);
    const char* keywords[] = {"dbname", "connect_timeout", "application_name", nullptr};
    const char* values[] = {url.c_str(), seconds.c_str(), "crossover", nullptr};
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdbParams(keywords, values, 1),
                                                                  PQfinish);
    if (PQstatus(connection.get()) == CONNECTION_OK) {
        if (PQconnectionUsedPassword(connection.get()) != 0 && PQsslInUse(connection.get()) == 0) {
            warn_of_open_secret("PostgreSQL", PQhost(connection.get()), state.address,
                                "add sslmode=require, or verify-full, to DATABASE_URL");
        }
        const char* version = PQparameterStatus(connection.get(), "server_version");
        // "15.4 (Debian 15.4-1)": the packager's part says nothing here.
        const std::string text = version == nullptr ? "" : version;
        judge_version(state, text.substr(0, text.find(' ')));
        const auto says_on = [&](const char* name) {
            const char* value = PQparameterStatus(connection.get(), name);
            return value != nullptr && std::string_view(value) == "on";
        };
        if (state.problem.empty() &&
            (says_on("in_hot_standby") || says_on("default_transaction_read_only"))) {
            fail(state, ErrorKind::not_ready,
                 fmt::format(
                     "PostgreSQL at {} can only be read: it is a standby, or its user or database is set "
                     "so (default_transaction_read_only). Name the primary in DATABASE_URL.",
                     state.address));
        }
        return state;
    }
    // libpq gives no code for a failed connection; a ping without the password tells who refused.
    const auto ping = PQpingParams(keywords, values, 1);
    // libpq quotes what it took for a host or a parameter, which may be a part of the password.
    const auto why = understood_address(url)
                         ? first_line(PQerrorMessage(connection.get()))
                         : "encode what has a meaning in URLs (a '/' in a password is %2F)";
    if (ping == PQPING_OK) {
        fail(state, ErrorKind::authentication,
             fmt::format("PostgreSQL at {} refused the connection: {}. Check user, password and database in "
                         "DATABASE_URL.",
                         state.address, why));
    } else if (ping == PQPING_NO_ATTEMPT) {
        fail(
            state, ErrorKind::usage,
            fmt::format(
                "DATABASE_URL can't be used: {}. It must look like postgresql://user:password@host/database.",
                why));
    } else {
        fail(state, ErrorKind::unreachable,
             fmt::format(
                 "PostgreSQL at {} can't be reached: {}. Check that it runs and that DATABASE_URL names it.",
                 state.address, why));
    }
    return state;
}

ServerState check_redis(const std::string& url, const std::string& ca_file) {
    auto state = begin(System::redis, shown_address(url));
    std::string info;
    try {
        auto where = redis::parse_url(url);
        where.ca_file = ca_file;
        if (!where.password.empty() && !where.tls) {
            warn_of_open_secret("Redis", where.host, redis::to_string(where),
                                "let REDIS_URL begin with rediss://");
        }
        redis::Connection connection(where, std::chrono::seconds(kSeconds));
        info = connection.call({"INFO", "server"}).text.value_or("");
    } catch (const Error& error) {
        const char* advice = error.kind() == ErrorKind::usage ? ""
                             : error.kind() == ErrorKind::authentication
                                 ? " Check user and password in REDIS_URL."
                                 : " Check that it runs and that REDIS_URL names it.";
        fail(state, error.kind(), fmt::format("{}{}", error.what(), advice));
        return state;
    }
    const std::string key = "redis_version:";
    const auto at = info.find(key);
    if (at == std::string::npos) {
        fail(state, ErrorKind::protocol,
             fmt::format("What answers at {} does not say a Redis version. Check REDIS_URL.", state.address));
        return state;
    }
    judge_version(state, info.substr(at + key.size(), info.find_first_of("\r\n", at) - at - key.size()));
    return state;
}

}  // namespace crossover::migrate
