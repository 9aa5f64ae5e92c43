#include "neo4j/viewing_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "neo4j/cypher.h"
#include "neo4j/media_query.h"
#include "neo4j/read_session.h"
#include "neo4j/scalar.h"
#include "neo4j/value_text.h"

namespace crossover::neo4j {

namespace {

constexpr std::int64_t kSeeds = 20;       ///< viewings that a path starts from
constexpr std::int64_t kNeighbours = 50;  ///< like-minded users
constexpr std::int64_t kTraits = 3;       ///< directors or genres

// The user, and the best liked of what was seen.
constexpr const char* kLiked =
    "MATCH (u:User {{id: $user}})-[v:VIEWED]->(m:{label}) WITH u, v, m ORDER BY coalesce(v.rating, 3) DESC, "
    "v.at DESC ";

}  // namespace

ViewingGraph::ViewingGraph(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping)
    : driver_(driver),
      database_(std::move(database)),
      mapping_(mapping),
      label_(quote_name(mapping.label)),
      id_(quote_name(mapping.id_property)),
      columns_([&] {
          std::string columns = "c." + id_;
          for (const auto& property : mapping.properties) columns += ", " + text_column("c", property);
          return columns;
      }()) {}

std::optional<std::int64_t> ViewingGraph::count_of(const std::string& user, Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    auto result = session.run(
        fmt::format("MATCH (u:User {{id: $user}}) RETURN count {{ (u)-[:VIEWED]->(:{}) }}", label_),
        {{"user", user}});
    const auto row = result.next();
    if (!row) return std::nullopt;
    return integer_of(row->at(0));
}

std::vector<Viewing> ViewingGraph::best_liked(const std::string& user, std::size_t limit, Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    auto result =
        session.run(fmt::format(fmt::runtime(kLiked), fmt::arg("label", label_)) +
                        fmt::format("LIMIT $limit RETURN m.{}, m.title, coalesce(v.rating, 3), m.{}", id_,
                                    quote_name(mapping_.embedding_property)),
                    {{"user", user}, {"limit", static_cast<std::int64_t>(limit)}});
    std::vector<Viewing> viewings;
    while (const auto row = result.next()) {
        const auto id = to_item_id(row->at(0));
        if (!id) continue;
        Viewing viewing{*id, text_of(row->at(1)), std::clamp((number_of(row->at(2)) - 1) / 4, 0.0, 1.0), {}};
        const auto numbers = numbers_of(row->at(3));
        if (numbers && numbers->size() == mapping_.dimension)
            viewing.embedding.assign(numbers->begin(), numbers->end());
        viewings.push_back(std::move(viewing));
    }
    return viewings;
}

std::vector<ItemId> ViewingGraph::seen_among(const std::string& user, const std::vector<ItemId>& ids,
                                             Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    auto parameters = MediaQueries::ids_parameter(ids);
    parameters.add("user", user);
    auto result =
        session.run(fmt::format("UNWIND $ids AS wanted MATCH (m:{} {{{}: wanted}}) "
                                "WHERE EXISTS {{ (:User {{id: $user}})-[:VIEWED]->(m) }} RETURN wanted",
                                label_, id_),
                    parameters);
    std::vector<ItemId> seen;
    while (const auto row = result.next()) {
        if (auto id = to_item_id(row->at(0))) seen.push_back(*std::move(id));
    }
    return seen;
}

std::vector<GraphCandidate> ViewingGraph::candidates(const std::string& user, std::size_t limit,
                                                     Deadline deadline) {
    using Path = GraphCandidate::Path;
    const auto liked = fmt::format(fmt::runtime(kLiked), fmt::arg("label", label_));
    const auto parameters = [&] {
        return bolt::Parameters{{"user", user},
                                {"limit", static_cast<std::int64_t>(limit)},
                                {"seeds", kSeeds},
                                {"neighbours", kNeighbours},
                                {"traits", kTraits}};
    };
    auto found = run(
        liked + fmt::format("LIMIT $seeds MATCH (m)<-[w:VIEWED]-(o:User) "
                            "WHERE o <> u AND coalesce(w.rating, 3) >= 4 "
                            "WITH u, o, count(*) AS shared ORDER BY shared DESC, o.id LIMIT $neighbours "
                            "MATCH (o)-[x:VIEWED]->(c:{}) "
                            "WHERE coalesce(x.rating, 3) >= 4 AND NOT EXISTS {{ (u)-[:VIEWED]->(c) }} "
                            "WITH c, sum(shared) AS strength, count(*) AS viewers "
                            "RETURN toFloat(strength), viewers, '', {} ORDER BY strength DESC LIMIT $limit",
                            label_, columns_),
        parameters(), Path::co_watched, deadline);
    for (const auto& [property, path] :
         {std::pair{"director", Path::same_director}, {"genre", Path::same_genre}}) {
        auto more = run(
            liked + fmt::format(
                        "WHERE coalesce(v.rating, 3) >= 4 AND m.{0} IS NOT NULL "
                        "WITH u, m.{0} AS trait, count(*) AS seen ORDER BY seen DESC, trait LIMIT $traits "
                        "MATCH (c:{1}) WHERE c.{0} = trait AND NOT EXISTS {{ (u)-[:VIEWED]->(c) }} "
                        "WITH c, trait, seen, count {{ (c)<-[:VIEWED]-() }} AS views "
                        "RETURN seen * log(2 + views) AS strength, seen, trait, {2} "
                        "ORDER BY strength DESC LIMIT $limit",
                        property, label_, columns_),
            parameters(), path, deadline);
        found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    return found;
}

std::vector<GraphCandidate> ViewingGraph::most_viewed(std::size_t limit, Deadline deadline) {
    return run(
        fmt::format("MATCH (c:{}) WITH c, count {{ (c)<-[:VIEWED]-() }} AS views WHERE views > 0 "
                    "RETURN toFloat(views) AS strength, views, '', {} ORDER BY strength DESC LIMIT $limit",
                    label_, columns_),
        {{"limit", static_cast<std::int64_t>(limit)}}, GraphCandidate::Path::co_watched, deadline);
}

std::vector<GraphCandidate> ViewingGraph::run(const std::string& text, bolt::Parameters parameters,
                                              GraphCandidate::Path path, Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    auto result = session.run(text, parameters);
    std::vector<GraphCandidate> found;
    while (const auto row = result.next()) {
        auto id = to_item_id(row->at(3));
        if (!id) continue;
        GraphCandidate candidate;
        candidate.id = *std::move(id);
        candidate.path = path;
        candidate.strength = number_of(row->at(0));
        candidate.count = integer_of(row->at(1));
        candidate.through = text_of(row->at(2));
        candidate.properties = to_scalars({row->begin() + 4, row->end()}, mapping_);
        found.push_back(std::move(candidate));
    }
    if (!found.empty() && found.front().strength > 0) {
        const double most = found.front().strength;
        for (auto& candidate : found) candidate.strength /= most;
    }
    return found;
}

}  // namespace crossover::neo4j
