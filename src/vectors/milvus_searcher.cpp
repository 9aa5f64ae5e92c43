#include "vectors/milvus_searcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "milvus/expression.h"

namespace crossover::vectors {
namespace {

// More than k candidates a search: recall of 0.99 and more where ef is twice k (docs/performance.md).
constexpr std::size_t kLeastCandidates = 64;

std::string_view operator_of(search::Comparison comparison) {
    using search::Comparison;
    switch (comparison) {
        case Comparison::equal:
            return "==";
        case Comparison::not_equal:
            return "!=";
        case Comparison::less:
            return "<";
        case Comparison::less_or_equal:
            return "<=";
        case Comparison::greater:
            return ">";
        case Comparison::greater_or_equal:
            return ">=";
        case Comparison::one_of:
            return "in";
    }
    return "==";
}

std::string literal_of(const search::Scalar& value) {
    return std::visit(
        []<class T>(const T& held) -> std::string {
            if constexpr (std::is_same_v<T, bool>) {
                return held ? "true" : "false";
            } else if constexpr (std::is_same_v<T, std::string>) {
                return milvus::quote(held);
            } else if constexpr (std::is_same_v<T, double>) {
                auto text = fmt::format("{}", held);
                // An integer literal would be of another type.
                if (text.find_first_of(".e") == std::string::npos) text += ".0";
                return text;
            } else {
                return milvus::literal(ItemId(held));
            }
        },
        value);
}

}  // namespace

std::string to_expression(const search::Filter& filter, const sync::MediaMapping& mapping) {
    std::vector<std::string> conditions;
    for (const auto& condition : filter) {
        std::vector<std::string> operands;
        for (const auto& operand : condition.operands) operands.push_back(literal_of(operand));
        const auto joined = fmt::format("{}", fmt::join(operands, ", "));
        const bool list = condition.comparison == search::Comparison::one_of;
        const auto* property = sync::find_property(mapping, condition.property);
        const auto& field = property == nullptr ? condition.property : property->field;
        conditions.push_back(fmt::format("{} {} {}", field, operator_of(condition.comparison),
                                         list ? "[" + joined + "]" : joined));
    }
    return fmt::format("{}", fmt::join(conditions, " and "));
}

MilvusSearcher::MilvusSearcher(milvus::Client& client, const Collection& collection,
                               const sync::MediaMapping& mapping)
    : client_(client), collection_(collection), mapping_(mapping) {
    for (const auto& property : mapping.properties) properties_.push_back(property.field);
}

std::vector<search::Neighbour> MilvusSearcher::nearest(const search::Query& query, Deadline deadline) {
    milvus::SearchOptions options;
    options.limit = query.k;
    options.ef = static_cast<int>(std::max(kLeastCandidates, 2 * query.k));
    options.filter = to_expression(query.filter, mapping_);
    options.properties = properties_;
    auto hits = client_.search(collection_.ref(), query.vector, options, deadline);
    std::vector<search::Neighbour> neighbours;
    neighbours.reserve(hits.size());
    for (auto& hit : hits) {
        if (!std::isfinite(hit.score)) continue;  // a row without a direction, from before such were refused
        search::Neighbour neighbour{std::move(hit.id), hit.score};
        neighbour.properties.reserve(hit.properties.size());
        for (auto& [name, value] : hit.properties) {
            neighbour.properties.push_back(std::visit(
                []<class T>(T& held) -> std::optional<search::Scalar> {
                    if constexpr (std::is_same_v<T, std::monostate>) {
                        return std::nullopt;
                    } else {
                        return search::Scalar(std::move(held));
                    }
                },
                value));
        }
        neighbours.push_back(std::move(neighbour));
    }
    return neighbours;
}

}  // namespace crossover::vectors
