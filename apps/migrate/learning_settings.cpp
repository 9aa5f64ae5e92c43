#include "learning_settings.h"

#include <fmt/format.h>

#include "learning/copy/sample.h"
#include "settings/servers.h"

namespace crossover::cli {

void take_learning_settings(const Settings& settings, learning::CopyOptions& options) {
    options.key_prefix = settings.agentdb_key_prefix;
    options.fields = {settings.agent_id_field,  settings.state_field,      settings.action_field,
                      settings.reward_field,    settings.next_state_field, settings.done_field,
                      settings.timestamp_field, settings.state_hash_field, settings.q_value_field};
    constexpr std::string_view kFields = "agentdb.fields.";
    for (const auto& [path, origin] : settings.origins) {
        if (!path.starts_with(kFields)) continue;
        const auto name = path.substr(kFields.size());
        options.given_fields.push_back(name == "q_value" ? "value" : name);
    }
}

std::vector<std::string> learning_faults(const Settings& settings) {
    learning::CopyOptions options;
    take_learning_settings(settings, options);
    std::vector<std::string> faults;
    try {
        options.redis = redis_address(settings);
        for (const auto& guess : learning::sample_fields(options)) {
            if (!guess.looks_like.empty()) {
                faults.push_back(fmt::format("{}: {}", redis::to_string(options.redis), guess.text()));
            }
        }
    } catch (const Error&) {
        return {};
    }
    return faults;
}

}  // namespace crossover::cli
