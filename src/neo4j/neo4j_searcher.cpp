#include "neo4j/neo4j_searcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "neo4j/cypher.h"
#include "neo4j/read_session.h"
#include "neo4j/scalar.h"

namespace crossover::neo4j {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostCandidates = 10'000;

std::string_view operator_of(search::Comparison comparison) {
    using search::Comparison;
    switch (comparison) {
        case Comparison::equal:
            return "=";
        case Comparison::not_equal:
            return "<>";
        case Comparison::less:
            return "<";
        case Comparison::less_or_equal:
            return "<=";
        case Comparison::greater:
            return ">";
        case Comparison::greater_or_equal:
            return ">=";
        case Comparison::one_of:
            return "IN";
    }
    return "=";
}

/// "m.`year` >= $f0 AND …"; its parameters are f0, f1, …
std::string condition_of(const search::Filter& filter) {
    std::vector<std::string> conditions;
    for (std::size_t i = 0; i < filter.size(); ++i) {
        conditions.push_back(fmt::format("m.{} {} $f{}", quote_name(filter[i].property),
                                         operator_of(filter[i].comparison), i));
    }
    return fmt::format("{}", fmt::join(conditions, " AND "));
}

bolt::Parameters parameters_of(const search::Query& query) {
    bolt::Parameters parameters;
    parameters.add("vector", [vector = query.vector](bolt::Encoder& encoder) {
        encoder.write_list_header(vector.size());
        for (const float element : vector) encoder.write_float(element);
    });
    for (std::size_t i = 0; i < query.filter.size(); ++i) {
        const auto& condition = query.filter[i];
        if (condition.comparison == search::Comparison::one_of) {
            bolt::List operands;
            for (const auto& operand : condition.operands) operands.push_back(to_value(operand));
            parameters.add(fmt::format("f{}", i), std::move(operands));
        } else {
            parameters.add(fmt::format("f{}", i), to_value(condition.operands.front()));
        }
    }
    return parameters.add("k", static_cast<std::int64_t>(query.k));
}

/// An expression that is larger the nearer m is, of Neo4j's own scale.
std::string nearness(const sync::MediaMapping& mapping) {
    const auto embedding = "m." + quote_name(mapping.embedding_property);
    switch (mapping.metric) {
        case sync::Metric::cosine:
            return fmt::format("vector.similarity.cosine({}, $vector)", embedding);
        case sync::Metric::l2:
            return fmt::format("vector.similarity.euclidean({}, $vector)", embedding);
        case sync::Metric::inner_product:
            return fmt::format("reduce(sum = 0.0, i IN range(0, {} - 1) | sum + {}[i] * $vector[i])",
                               mapping.dimension, embedding);
    }
    return {};
}

/// Neo4j's scale, in Milvus's terms: it has (1 + cosine) / 2 and 1 / (1 + squared distance).
double to_score(double nearness, sync::Metric metric) {
    switch (metric) {
        case sync::Metric::cosine:
            return 2 * nearness - 1;
        case sync::Metric::l2:
            return 1 / nearness - 1;
        case sync::Metric::inner_product:
            break;
    }
    return nearness;
}

std::string returned(const sync::MediaMapping& mapping) {
    std::string columns = "m." + quote_name(mapping.id_property) + ", score";
    for (const auto& property : mapping.properties) columns += ", m." + quote_name(property.name);
    return columns;
}

}  // namespace

Neo4jSearcher::Neo4jSearcher(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping)
    : driver_(driver), database_(std::move(database)), mapping_(mapping) {}

std::vector<search::Neighbour> Neo4jSearcher::nearest(const search::Query& query, Deadline deadline) {
    if (const auto index = index_name(deadline); !index.empty()) {
        try {
            auto found = nearest_by_index(index, query, deadline);
            if (query.filter.empty() || found.size() == query.k) return found;
        } catch (const Error& error) {
            // It may have been dropped since it was found.
            if (error.retryable() || look_again(deadline) == index) throw;
        }
    }
    return nearest_of_all(query, deadline);
}

std::vector<search::Neighbour> Neo4jSearcher::nearest_by_index(const std::string& index,
                                                               const search::Query& query,
                                                               Deadline deadline) {
    const auto condition = condition_of(query.filter);
    const std::size_t candidates =
        query.filter.empty() ? query.k : std::min(kMostCandidates, 10 * query.k + 100);
    return run(
        fmt::format("CALL db.index.vector.queryNodes($index, $candidates, $vector) YIELD node AS m, score "
                    "{} RETURN {} ORDER BY score DESC LIMIT $k",
                    condition.empty() ? "" : "WHERE " + condition, returned(mapping_)),
        query, candidates, index, deadline);
}

std::vector<search::Neighbour> Neo4jSearcher::nearest_of_all(const search::Query& query, Deadline deadline) {
    const auto condition = condition_of(query.filter);
    const auto embedding = "m." + quote_name(mapping_.embedding_property);
    return run(
        fmt::format("MATCH (m:{}) WHERE {} IS :: LIST<FLOAT NOT NULL> NOT NULL AND size({}) = {}{} "
                    "WITH m, {} AS score WHERE score IS NOT NULL "
                    "RETURN {} ORDER BY score DESC LIMIT $k",
                    quote_name(mapping_.label), embedding, embedding, mapping_.dimension,
                    condition.empty() ? "" : " AND " + condition, nearness(mapping_), returned(mapping_)),
        query, 0, {}, deadline);
}

std::vector<search::Neighbour> Neo4jSearcher::run(const std::string& text, const search::Query& query,
                                                  std::size_t candidates, const std::string& index,
                                                  Deadline deadline) {
    auto parameters = parameters_of(query);
    if (!index.empty()) {
        parameters.add("index", index).add("candidates", static_cast<std::int64_t>(candidates));
    }
    auto session = read_session(driver_, database_, deadline);
    auto result =
        session.run(text, parameters, {.deadline = deadline, .server_timeout = deadline.remaining()});
    std::vector<search::Neighbour> neighbours;
    while (const auto row = result.next()) {
        auto id = to_item_id(row->at(0));
        if (!id) continue;  // of the other kind: no row of Milvus either
        search::Neighbour neighbour{*std::move(id), to_score(number_of(row->at(1)), mapping_.metric)};
        for (auto value = row->begin() + 2; value != row->end(); ++value) {
            neighbour.properties.push_back(to_scalar(*value));
        }
        neighbours.push_back(std::move(neighbour));
    }
    return neighbours;
}

std::string Neo4jSearcher::index_name(Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        if (index_ && !look_again_.passed()) return *index_;
        // The others go on with what is known while this one looks.
        look_again_ = Deadline::after(60s);
    }
    try {
        auto found = find_index(deadline);
        const std::lock_guard lock(mutex_);
        index_ = found;
        return found;
    } catch (const Error&) {
        const std::lock_guard lock(mutex_);
        look_again_ = Deadline::at({});
        throw;
    }
}

std::string Neo4jSearcher::look_again(Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        look_again_ = Deadline::at({});
    }
    return index_name(deadline);
}

std::string Neo4jSearcher::find_index(Deadline deadline) {
    if (mapping_.metric == sync::Metric::inner_product) return {};
    auto session = read_session(driver_, database_, deadline);
    auto result = session.run(
        "SHOW VECTOR INDEXES YIELD name, state, labelsOrTypes, properties, options "
        "WHERE state = 'ONLINE' AND labelsOrTypes = [$label] AND properties = [$property] "
        "AND toLower(options.indexConfig[\"vector.similarity_function\"]) = $similarity "
        "AND options.indexConfig[\"vector.dimensions\"] = $dimension RETURN name ORDER BY name LIMIT 1",
        {{"label", mapping_.label},
         {"property", mapping_.embedding_property},
         {"similarity", mapping_.metric == sync::Metric::cosine ? "cosine" : "euclidean"},
         {"dimension", static_cast<std::int64_t>(mapping_.dimension)}},
        {.deadline = deadline});
    const auto row = result.next();
    return row ? text_of(row->at(0)) : std::string();
}

}  // namespace crossover::neo4j
