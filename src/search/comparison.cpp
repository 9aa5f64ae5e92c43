#include "search/comparison.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace crossover::search {

Agreement compare(std::span<const Neighbour> answer, std::span<const Neighbour> reference) {
    const std::size_t longer = std::max(answer.size(), reference.size());
    if (longer == 0) return {.overlap = 1};
    std::unordered_map<ItemId, std::size_t> places;
    for (std::size_t place = 0; place < reference.size(); ++place) places.emplace(reference[place].id, place);

    Agreement agreement;
    std::size_t shared = 0;
    double ranks = 0;
    for (std::size_t place = 0; place < answer.size(); ++place) {
        const auto found = places.find(answer[place].id);
        if (found == places.end()) continue;
        ++shared;
        ranks += std::abs(static_cast<double>(place) - static_cast<double>(found->second));
        agreement.score_difference = std::max(agreement.score_difference,
                                              std::abs(answer[place].score - reference[found->second].score));
    }
    agreement.overlap = static_cast<double>(shared) / static_cast<double>(longer);
    if (shared > 0) agreement.rank_difference = ranks / static_cast<double>(shared);
    return agreement;
}

}  // namespace crossover::search
