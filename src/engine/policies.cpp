#include "engine/policies.h"

#include <nlohmann/json.hpp>

namespace crossover::engine {

namespace {
constexpr double kGreatestWeight = 100;
}

std::optional<Weights> parse_policy(std::string_view stored) {
    const auto json = nlohmann::json::parse(stored, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    Weights weights;
    for (const auto& [name, weight] :
         {std::pair("vector", &Weights::vector), std::pair("co_watched", &Weights::co_watched),
          std::pair("same_director", &Weights::same_director),
          std::pair("same_genre", &Weights::same_genre)}) {
        const auto found = json.find(name);
        if (found == json.end()) continue;
        if (!found->is_number()) return std::nullopt;
        const auto value = found->get<double>();
        if (!(value >= 0 && value <= kGreatestWeight)) return std::nullopt;
        weights.*weight = value;
    }
    return weights;
}

}  // namespace crossover::engine
