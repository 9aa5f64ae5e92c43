#include "migration/preflight/servers.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "base/address.h"
#include "base/text.h"
#include "bolt/driver.h"
#include "log/log.h"
#include "milvus/client.h"
#include "postgres/connection.h"
#include "redis/connection.h"

namespace crossover::migration {
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

std::string setting_of(System system) {
    return requirement(system).setting;
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
    try {
        const postgres::Connection connection(url, Deadline::after(std::chrono::seconds(kSeconds)));
        if (!connection.open_secret_host().empty()) {
            warn_of_open_secret("PostgreSQL", connection.open_secret_host(), state.address,
                                "add sslmode=require, or verify-full, to DATABASE_URL");
        }
        const int version = connection.server_version();
        judge_version(state, fmt::format("{}.{}", version / 10'000, version % 10'000));
        if (state.problem.empty()) postgres::require_writable(connection);
    } catch (const Error& error) {
        // It is starting up, or has no connection left.
        const bool away = error.kind() == ErrorKind::unavailable;
        fail(state, away ? ErrorKind::unreachable : error.kind(), error.what());
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

}  // namespace crossover::migration
