#include "engine/recommender.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "search/matching.h"
#include "sync/direction.h"

namespace crossover::engine {

namespace {

constexpr std::array<std::string_view, 4> kNames = {"auto", "vector", "graph", "hybrid"};

constexpr std::size_t kSeeds = 5;     ///< liked items whose neighbours are looked for
constexpr double kLeastLiking = 0.5;  ///< of a seed: a rating of 3

/// An item on its way to be recommended: the ways that lead to it, each with what it adds.
class Candidate {
  public:
    std::vector<std::optional<search::Scalar>> properties;

    /// Of several steps along one way only the strongest counts.
    void add(std::size_t way, double share, std::string reason) {
        if (share <= shares_.at(way)) return;
        shares_[way] = share;
        if (share >= *std::max_element(shares_.begin(), shares_.end())) reason_ = std::move(reason);
    }
    double score() const {
        double sum = 0;
        for (const double share : shares_) sum += share;
        return sum;
    }
    std::string& reason() { return reason_; }

  private:
    std::array<double, 4> shares_{};
    std::string reason_;
};

constexpr std::size_t kVectorWay = 3;  // behind those of GraphCandidate::Path

std::string reason_of(const neo4j::GraphCandidate& candidate) {
    using Path = neo4j::GraphCandidate::Path;
    switch (candidate.path) {
        case Path::co_watched:
            return fmt::format("Liked by {} with your taste", counted(candidate.count, "viewer", "viewers"));
        case Path::same_director:
            return fmt::format("By {}, of whom you liked {}", candidate.through,
                               counted(candidate.count, "film", "films"));
        case Path::same_genre:
            return fmt::format("You like {}", candidate.through);
    }
    return {};
}

double weight_of(neo4j::GraphCandidate::Path path, const Weights& weights) {
    using Path = neo4j::GraphCandidate::Path;
    switch (path) {
        case Path::co_watched:
            return weights.co_watched;
        case Path::same_director:
            return weights.same_director;
        case Path::same_genre:
            return weights.same_genre;
    }
    return 0;
}

/// 0 to 1, for any metric: 1 is the same direction, or the same place.
double closeness(double score, sync::Metric metric) {
    if (metric == sync::Metric::l2) return 1 / (1 + std::max(0.0, score));
    return std::clamp(score, 0.0, 1.0);
}

learning::Action action_of(Strategy strategy) {
    return *learning::parse_action(to_string(strategy));  // all but `automatic` have the same names
}

class Round {
  public:
    Round(const RecommenderPorts& ports, const sync::MediaMapping& mapping,
          const RecommendationRequest& request, const Weights& weights, Deadline deadline)
        : ports_(ports), mapping_(mapping), request_(request), weights_(weights), deadline_(deadline) {}

    Recommended run() {
        const auto viewings = ports_.graph.count_of(request_.user, deadline_).value_or(0);
        const auto state = learning::state_of(viewings);
        if (!state) return popular();
        const auto choice = request_.strategy == Strategy::automatic
                                ? ports_.choose(*state)
                                : learning::Choice{action_of(request_.strategy), false};
        if (choice.action != learning::Action::graph) follow_vectors();
        if (choice.action != learning::Action::vector) follow_graph();
        return {learning::to_string(choice.action), source_, best(),
                learning::Decision{std::string(learning::kStates.at(*state)), choice.action},
                choice.explored};
    }

  private:
    Recommended popular() {
        Recommended recommended{"popular", "", {}};
        for (auto& candidate : ports_.graph.most_viewed(10 * request_.k + 100, deadline_)) {
            if (!search::matches(request_.filter, candidate.properties, mapping_)) continue;
            recommended.items.push_back(
                {std::move(candidate.id), std::move(candidate.properties), candidate.strength,
                 fmt::format("Seen by {}", counted(candidate.count, "viewer", "viewers"))});
            if (recommended.items.size() == request_.k) break;
        }
        return recommended;
    }

    void follow_vectors() {
        const std::size_t near = 2 * request_.k + 20;
        for (auto& seed : ports_.graph.best_liked(request_.user, kSeeds, deadline_)) {
            if (seed.liking < kLeastLiking) continue;
            if (seed.embedding.empty())
                seed.embedding = ports_.vector_of(seed.id, deadline_).value_or(std::vector<float>());
            // What can be no row of Milvus is near to nothing, in either store.
            if (seed.embedding.size() != mapping_.dimension ||
                !sync::why_incomparable(seed.embedding, mapping_.metric).empty()) {
                continue;
            }
            auto [source, neighbours] = ports_.nearest(
                {seed.embedding, std::min(near, search::kMostNeighbours), request_.filter}, deadline_);
            source_ = source;
            for (auto& neighbour : neighbours) {
                auto& candidate = candidates_[neighbour.id];
                candidate.properties = std::move(neighbour.properties);
                candidate.add(kVectorWay,
                              weights_.vector * seed.liking * closeness(neighbour.score, mapping_.metric),
                              fmt::format("Like {}, which you liked",
                                          seed.title.empty() ? crossover::to_string(seed.id) : seed.title));
            }
        }
    }

    void follow_graph() {
        for (auto& found : ports_.graph.candidates(request_.user, 5 * request_.k + 20, deadline_)) {
            if (!search::matches(request_.filter, found.properties, mapping_)) continue;
            auto& candidate = candidates_[found.id];
            candidate.add(static_cast<std::size_t>(found.path),
                          weight_of(found.path, weights_) * found.strength, reason_of(found));
            candidate.properties = std::move(found.properties);
        }
    }

    std::vector<Recommendation> best() {
        std::vector<ItemId> ids;
        for (const auto& [id, candidate] : candidates_) ids.push_back(id);
        const auto seen = ports_.graph.seen_among(request_.user, ids, deadline_);
        for (const auto& id : seen) candidates_.erase(id);

        std::vector<Recommendation> items;
        for (auto& [id, candidate] : candidates_) {
            items.push_back(
                {id, std::move(candidate.properties), candidate.score(), std::move(candidate.reason())});
        }
        const auto count = std::min(items.size(), request_.k);
        // Equal scores in the order of ids, so that an answer is the same each time.
        std::partial_sort(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count), items.end(),
                          [](const auto& a, const auto& b) {
                              return a.score != b.score ? a.score > b.score : a.id < b.id;
                          });
        items.resize(count);
        return items;
    }

    const RecommenderPorts& ports_;
    const sync::MediaMapping& mapping_;
    const RecommendationRequest& request_;
    const Weights& weights_;
    const Deadline deadline_;
    std::string_view source_;
    std::unordered_map<ItemId, Candidate> candidates_;
};

}  // namespace

std::string_view to_string(Strategy strategy) {
    return kNames.at(static_cast<std::size_t>(strategy));
}

std::optional<Strategy> parse_strategy(std::string_view text) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == text) return static_cast<Strategy>(i);
    }
    return std::nullopt;
}

Recommended recommend(const RecommenderPorts& ports, const sync::MediaMapping& mapping,
                      const RecommendationRequest& request, const Weights& weights, Deadline deadline) {
    return Round(ports, mapping, request, weights, deadline).run();
}

}  // namespace crossover::engine
