#include "learning/store/decision.h"

#include <fmt/format.h>

#include <algorithm>

namespace crossover::learning {

namespace {

constexpr std::array<std::string_view, kActions> kNames = {"vector", "graph", "hybrid"};
constexpr std::int64_t kKnown = 5, kKnownWell = 20;  // viewings
constexpr std::size_t kLongestName = 64;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '=' || c == '-';
    });
}

}  // namespace

std::string_view to_string(Action action) {
    return kNames.at(static_cast<std::size_t>(action));
}

std::optional<Action> parse_action(std::string_view text) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == text) return static_cast<Action>(i);
    }
    return std::nullopt;
}

std::optional<std::size_t> state_of(std::int64_t viewings) {
    if (viewings <= 0) return std::nullopt;
    if (viewings < kKnown) return 0;
    return viewings < kKnownWell ? 1 : 2;
}

Action usual_action(std::size_t state) {
    return state == 0 ? Action::vector : Action::hybrid;
}

bool is_state_name(std::string_view text) {
    return is_name(text);
}

bool is_feedback_id(std::string_view text) {
    return is_name(text);
}

std::string to_string(const Decision& decision) {
    return fmt::format("{}/{}", decision.state, to_string(decision.action));
}

std::optional<Decision> parse_decision(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto action = parse_action(text.substr(slash + 1));
    if (!action || !is_state_name(text.substr(0, slash))) return std::nullopt;
    return Decision{std::string(text.substr(0, slash)), *action};
}

}  // namespace crossover::learning
