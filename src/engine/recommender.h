#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "learning/store/bandit.h"
#include "learning/store/decision.h"
#include "neo4j/viewing_graph.h"
#include "search/searcher.h"

namespace crossover::engine {

/// Where candidates come from.
enum class Strategy {
    automatic,  ///< by what has been learnt; until then by how much is known: little (vector), more (hybrid)
    vector,     ///< near to what the user liked
    graph,      ///< seen by like-minded users; of a director or genre that the user likes
    hybrid      ///< both
};
std::string_view to_string(Strategy strategy);
std::optional<Strategy> parse_strategy(std::string_view text);

/// How much each way that leads to an item counts. A user's policy; these are the defaults.
struct Weights {
    double vector = 1.0;
    double co_watched = 0.8;
    double same_director = 0.4;
    double same_genre = 0.2;
};

struct RecommendationRequest {
    std::string user;
    std::size_t k = 10;
    Strategy strategy = Strategy::automatic;
    search::Filter filter = {};
};

struct Recommendation {
    ItemId id;
    std::vector<std::optional<search::Scalar>> properties;  ///< in the order of the mapping's
    double score = 0;                                       ///< of all ways that lead to it; larger is better
    std::string reason;  ///< the way that counts most, for the user to read
};

struct Recommended {
    /// The strategy used: `vector`, `graph` or `hybrid`, or `popular` for one of whom nothing is known.
    std::string_view strategy;
    std::string_view source;  ///< of the vector candidates, "milvus" or "neo4j"; empty where there are none
    std::vector<Recommendation> items;
    /// By which feedback is to be learnt from; empty where nothing is known of the user.
    std::optional<learning::Decision> decision = {};
    bool explored = false;      ///< not the strategy that seems best for the user, to learn more of another
    bool users_policy = false;  ///< the user's own weights, not the default ones
};

/// What the recommender asks, each time with the deadline of the whole; all may be called from several
/// threads and throw crossover::Error.
struct RecommenderPorts {
    neo4j::ViewingGraph& graph;
    /// A search in the mode of the request: where its answer comes from, and the nearest.
    std::function<std::pair<std::string_view, std::vector<search::Neighbour>>(const search::Query&, Deadline)>
        nearest;
    /// The vector of an item that Neo4j has none of (archived): from Milvus. Empty where there is none.
    std::function<std::optional<std::vector<float>>(const ItemId&, Deadline)> vector_of;
    /// What to do for the user of a request with `automatic`, of a state that is one of learning::kStates.
    std::function<learning::Choice(std::size_t state)> choose;
};

/// Never recommends what the user has seen.
Recommended recommend(const RecommenderPorts& ports, const sync::MediaMapping& mapping,
                      const RecommendationRequest& request, const Weights& weights, Deadline deadline);

}  // namespace crossover::engine
