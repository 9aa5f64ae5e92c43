#pragma once

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/error.h"
#include "bolt/driver.h"

/// The real Neo4j that NEO4J_URI, NEO4J_USER and NEO4J_PASSWORD name.
namespace crossover::bolt::test {

inline std::string environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') {
        throw std::runtime_error(
            std::string(name) +
            " is not set: start a server with scripts/stack.sh up --servers neo4j and set it "
            "with eval \"$(scripts/stack.sh env)\"");
    }
    return value;
}

inline AuthToken credentials() {
    return AuthToken::basic(environment("NEO4J_USER"), environment("NEO4J_PASSWORD"));
}

inline Driver connect(DriverConfig config = {}) {
    return Driver(parse_uri(environment("NEO4J_URI")), credentials(), std::move(config));
}

inline std::string with_scheme(const std::string& scheme, const Address& address) {
    return scheme + "://" + to_string(address);
}

template <class Action>
std::optional<Error> error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

}  // namespace crossover::bolt::test
