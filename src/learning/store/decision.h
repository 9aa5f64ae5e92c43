#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace crossover::learning {

/// What the policy chooses among: where candidates come from.
enum class Action { vector, graph, hybrid };
inline constexpr std::size_t kActions = 3;
std::string_view to_string(Action action);
std::optional<Action> parse_action(std::string_view text);

/// What the policy knows of a user when it chooses: how many viewings there are, roughly. The names are
/// stored and must not change.
inline constexpr std::array<std::string_view, 3> kStates = {"viewings=1-4", "viewings=5-19", "viewings=20-"};
/// Index into kStates; empty for one of whom nothing is known, where there is nothing to choose.
std::optional<std::size_t> state_of(std::int64_t viewings);
/// What is taken while nothing has been learnt: vectors alone where little is known, else both.
Action usual_action(std::size_t state);

/// A state's name as it may be stored: 1 to 64 letters, digits and any of `._=-`. So keys made of it can be
/// taken apart, whatever the user's id is.
bool is_state_name(std::string_view text);
/// Likewise of a feedback's id.
bool is_feedback_id(std::string_view text);

/// What a recommendation was made by. Clients send its text back with their feedback, and need not look into
/// it: "viewings=5-19/hybrid".
struct Decision {
    std::string state;
    Action action = Action::vector;

    bool operator==(const Decision&) const = default;
};
std::string to_string(const Decision& decision);
std::optional<Decision> parse_decision(std::string_view text);

}  // namespace crossover::learning
