#pragma once

#include <optional>
#include <string_view>

namespace crossover::learning {

/// Where the operator wants the reinforcement-learning state (AGENTDB_MODE).
enum class Mode {
    redis,    ///< in Redis alone
    dual,     ///< in Redis; PostgreSQL follows
    postgres  ///< in PostgreSQL alone
};
inline constexpr int kModes = 3;

/// "dual", as configuration and metrics spell it.
std::string_view to_string(Mode mode);
std::optional<Mode> parse_mode(std::string_view text);

/// Which store has the last word. Both stores keep this durably, for all replicas; a replica only believes.
enum class Primary {
    redis,
    moving,  ///< a handover is under way: neither takes writes
    postgres
};
std::string_view to_string(Primary primary);

/// What a replica does that wants one thing while the primary is another: it follows the primary, and
/// captures everything for PostgreSQL where that is to become it.
constexpr Mode in_effect(Mode wanted, Primary primary) {
    if (primary == Primary::postgres) return Mode::postgres;
    return wanted == Mode::postgres ? Mode::dual : wanted;
}

}  // namespace crossover::learning
