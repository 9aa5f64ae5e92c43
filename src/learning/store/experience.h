#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "learning/store/bandit.h"
#include "learning/store/decision.h"
#include "learning/store/record.h"

namespace crossover::learning {

/// An agent's id (a user's) is the beginning of keys of an index, which have a limit.
inline constexpr std::size_t kMaxAgentBytes = 1024;

/// One feedback as it is stored. A plain value; texts are valid UTF-8 without NUL.
struct Experience {
    std::string key;  ///< in Redis, and in PostgreSQL `redis_key`; the same again is the same experience
    std::string agent;
    Decision decision;
    double reward = 0;  ///< kLeastReward to kGreatestReward
    std::optional<std::string> next_state;
    bool done = false;
    std::variant<std::monostate, std::string, std::int64_t> media;  ///< that it is about
    std::int64_t occurred_us = 0;                                   ///< since 1970
};

/// Of a feedback that the client has given an id, which holds for this user; else a key like no other.
std::string experience_key(std::string_view agent, std::string_view feedback_id);
std::string qvalue_key(std::string_view agent, std::string_view state, Action action);
std::string policy_key(std::string_view agent);

/// JSON as Redis holds it, all but the version and the closing brace.
std::string open_json(const Experience& experience, const FieldNames& names = {});
std::string open_qvalue_json(const Experience& experience, const FieldNames& names = {});
/// What has no column of its own in PostgreSQL, as a JSON object; empty where there is nothing.
std::optional<std::string> extra_json(const Experience& experience);

/// What came of a feedback. `store` is "redis" or "postgres".
struct Recorded {
    Arm arm;             ///< after it
    bool again = false;  ///< it had been recorded before, and changed nothing
    std::string_view store;
};

}  // namespace crossover::learning
