#pragma once

#include <cstddef>
#include <span>

#include "search/searcher.h"

namespace crossover::search {

/// How two answers to one query agree.
struct Agreement {
    double overlap = 0;           ///< ids in both, as a share of the longer answer; 1 for two empty ones
    double rank_difference = 0;   ///< mean distance of places, over the ids in both; 0 where there are none
    double score_difference = 0;  ///< greatest difference of scores, over the ids in both
};

Agreement compare(std::span<const Neighbour> answer, std::span<const Neighbour> reference);

}  // namespace crossover::search
