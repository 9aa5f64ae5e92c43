#include "learning/store/experience.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/unique_name.h"

namespace crossover::learning {

namespace {

std::string json_text(std::string_view text) {
    return nlohmann::json(text).dump();
}

std::string media_json(const Experience& experience) {
    if (const auto* number = std::get_if<std::int64_t>(&experience.media)) return std::to_string(*number);
    return json_text(std::get<std::string>(experience.media));
}

}  // namespace

std::string experience_key(std::string_view agent, std::string_view feedback_id) {
    if (feedback_id.empty()) return std::string(prefix_of(Kind::experience)) + unique_name();
    return fmt::format("{}feedback:{}:{}", prefix_of(Kind::experience), agent, feedback_id);
}

std::string qvalue_key(std::string_view agent, std::string_view state, Action action) {
    return fmt::format("{}{}:{}:{}", prefix_of(Kind::q_value), agent, state, to_string(action));
}

std::string policy_key(std::string_view agent) {
    return fmt::format("{}{}", prefix_of(Kind::policy), agent);
}

std::string open_json(const Experience& experience, const FieldNames& names) {
    auto json = fmt::format(
        R"({{{}:{},{}:{},{}:{},{}:{},{}:{},{}:{}.{:06})", json_text(names.agent_id),
        json_text(experience.agent), json_text(names.state), json_text(experience.decision.state),
        json_text(names.action), json_text(to_string(experience.decision.action)), json_text(names.reward),
        experience.reward, json_text(names.done), experience.done, json_text(names.timestamp),
        experience.occurred_us / 1'000'000, experience.occurred_us % 1'000'000);
    if (experience.next_state) {
        json += fmt::format(",{}:{}", json_text(names.next_state), json_text(*experience.next_state));
    }
    if (experience.media.index() != 0) json += R"(,"media_id":)" + media_json(experience);
    return json;
}

std::string open_qvalue_json(const Experience& experience, const FieldNames& names) {
    return fmt::format("{{{}:{},{}:{},{}:{}", json_text(names.agent_id), json_text(experience.agent),
                       json_text(names.state_hash), json_text(experience.decision.state),
                       json_text(names.action), json_text(to_string(experience.decision.action)));
}

std::optional<std::string> extra_json(const Experience& experience) {
    if (experience.media.index() == 0) return std::nullopt;
    return fmt::format(R"({{"media_id":{}}})", media_json(experience));
}

}  // namespace crossover::learning
