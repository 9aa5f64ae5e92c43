#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/item_id.h"
#include "bolt/driver.h"
#include "search/filter.h"
#include "sync/mapping.h"

namespace crossover::neo4j {

/// A media item that a user has seen.
struct Viewing {
    ItemId id;
    std::string title;
    double liking = 0;             ///< 0 to 1, of the rating 1 to 5; 0.5 where there is none
    std::vector<float> embedding;  ///< empty where Neo4j has none of the mapping's dimension
};

/// A media item that the graph leads to from what a user has seen.
struct GraphCandidate {
    enum class Path { co_watched, same_director, same_genre };
    ItemId id;
    std::vector<std::optional<search::Scalar>> properties;  ///< in the order of the mapping's
    Path path = Path::co_watched;
    double strength = 0;     ///< 0 to 1 within its path: 1 is the strongest found
    std::int64_t count = 0;  ///< of like-minded viewers; of films seen by that director or of that genre
    std::string through;     ///< the director or genre
};

/// Users and what they have seen: `(:User {id})-[:VIEWED {rating, at}]->(media)`, rating 1 to 5, at in
/// seconds. Directors and genres are properties of the media nodes, whether carried to Milvus or not.
///
/// Thread-safe; a session for each call. The driver must outlive it. Throws crossover::Error.
class ViewingGraph {
  public:
    ViewingGraph(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping);

    /// How many items the user has seen; empty where there is no such user.
    std::optional<std::int64_t> count_of(const std::string& user, Deadline deadline);
    /// The best liked, then the latest, at most `limit`.
    std::vector<Viewing> best_liked(const std::string& user, std::size_t limit, Deadline deadline);
    /// Which of `ids` the user has seen.
    std::vector<ItemId> seen_among(const std::string& user, const std::vector<ItemId>& ids,
                                   Deadline deadline);
    /// What the user has not seen, by each path at most `limit`, strongest first.
    std::vector<GraphCandidate> candidates(const std::string& user, std::size_t limit, Deadline deadline);
    /// What most users have seen, for one of whom nothing is known.
    std::vector<GraphCandidate> most_viewed(std::size_t limit, Deadline deadline);

  private:
    std::vector<GraphCandidate> run(const std::string& text, bolt::Parameters parameters,
                                    GraphCandidate::Path path, Deadline deadline);

    bolt::Driver& driver_;
    const std::string database_;
    const sync::MediaMapping mapping_;
    const std::string label_;
    const std::string id_;
    const std::string columns_;
};

}  // namespace crossover::neo4j
