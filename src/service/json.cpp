#include "service/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace crossover::service {
namespace {

using nlohmann::json;

constexpr std::size_t kMostConditions = 16;
constexpr std::size_t kMostOperands = 100;

[[noreturn]] void refuse(const std::string& detail) {
    throw BadRequest(422, detail);
}

json parse_object(std::string_view text, std::string_view what) {
    json parsed;
    try {
        parsed = json::parse(text);
    } catch (const json::exception& error) {
        throw BadRequest(400, fmt::format("{} is not JSON: {}", what, error.what()));
    }
    if (!parsed.is_object()) refuse(fmt::format("{} must be a JSON object.", what));
    return parsed;
}

std::string_view type_text(sync::PropertyType type) {
    switch (type) {
        case sync::PropertyType::boolean:
            return "true or false";
        case sync::PropertyType::int64:
            return "an integer";
        case sync::PropertyType::float64:
            return "a number";
        case sync::PropertyType::text:
            return "a string";
    }
    return "a value";
}

/// The value in the property's own type; empty where it is of another.
std::optional<search::Scalar> to_scalar(const json& value, sync::PropertyType type) {
    switch (type) {
        case sync::PropertyType::boolean:
            if (value.is_boolean()) return value.get<bool>();
            break;
        case sync::PropertyType::int64:
            if (value.is_number_unsigned() &&
                value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
                break;
            if (value.is_number_integer()) return value.get<std::int64_t>();
            break;
        case sync::PropertyType::float64:
            if (value.is_number()) return value.get<double>();
            break;
        case sync::PropertyType::text:
            if (value.is_string()) return value.get<std::string>();
            break;
    }
    return std::nullopt;
}

search::Scalar require_scalar(const json& value, const sync::CarriedProperty& property) {
    auto scalar = to_scalar(value, property.type);
    if (!scalar) refuse(fmt::format("{} must be {}.", property.name, type_text(property.type)));
    const auto* text = std::get_if<std::string>(&*scalar);
    if (text != nullptr && text->size() > sync::kMaxTextBytes) {
        refuse(fmt::format("{} has {} bytes, at most {} are possible.", property.name, text->size(),
                           sync::kMaxTextBytes));
    }
    return *std::move(scalar);
}

std::vector<double> read_vector(const json& value, std::string_view name, const sync::MediaMapping& mapping) {
    if (!value.is_array()) refuse(fmt::format("{} must be an array of {} numbers.", name, mapping.dimension));
    if (value.size() != mapping.dimension) {
        refuse(fmt::format("{} has {} values, expected {}.", name, value.size(), mapping.dimension));
    }
    std::vector<double> numbers;
    numbers.reserve(value.size());
    bool zero = true;
    for (const auto& element : value) {
        if (!element.is_number()) refuse(fmt::format("{}[{}] is no number.", name, numbers.size()));
        const double number = element.get<double>();
        const auto stored = static_cast<float>(number);
        if (!std::isfinite(stored))
            refuse(fmt::format("{}[{}] does not fit a float32.", name, numbers.size()));
        zero = zero && stored == 0;
        numbers.push_back(number);
    }
    if (zero && mapping.metric == sync::Metric::cosine) {
        refuse(fmt::format("{} is zero in every value: it has no direction, which the COSINE metric needs.",
                           name));
    }
    return numbers;
}

const sync::CarriedProperty* find_property(const sync::MediaMapping& mapping, std::string_view name) {
    const auto found = std::find_if(mapping.properties.begin(), mapping.properties.end(),
                                    [&](const auto& property) { return property.name == name; });
    return found == mapping.properties.end() ? nullptr : &*found;
}

[[noreturn]] void refuse_unknown(std::string_view what, std::string_view name,
                                 std::vector<std::string> known) {
    const auto meant = nearest(name, known);
    refuse(meant ? fmt::format("There is no {} {}; is {} meant?", what, name, *meant)
                 : fmt::format("There is no {} {}; there are {}.", what, name, fmt::join(known, ", ")));
}

std::vector<std::string> property_names(const sync::MediaMapping& mapping) {
    std::vector<std::string> names;
    for (const auto& property : mapping.properties) names.push_back(property.name);
    return names;
}

search::Comparison read_comparison(std::string_view text) {
    using search::Comparison;
    static const std::vector<std::pair<std::string_view, Comparison>> kOperators = {
        {"eq", Comparison::equal},   {"ne", Comparison::not_equal},
        {"lt", Comparison::less},    {"lte", Comparison::less_or_equal},
        {"gt", Comparison::greater}, {"gte", Comparison::greater_or_equal},
        {"in", Comparison::one_of},
    };
    std::vector<std::string> names;
    for (const auto& [name, comparison] : kOperators) {
        if (name == text) return comparison;
        names.emplace_back(name);
    }
    refuse_unknown("operator", text, names);
}

search::Condition read_condition(const sync::CarriedProperty& property, const std::string& operation,
                                 const json& value) {
    search::Condition condition{property.name, read_comparison(operation), {}};
    const bool ordering = condition.comparison != search::Comparison::equal &&
                          condition.comparison != search::Comparison::not_equal &&
                          condition.comparison != search::Comparison::one_of;
    if (ordering && property.type == sync::PropertyType::boolean) {
        refuse(fmt::format("{} is true or false: it can't be compared by {}.", property.name, operation));
    }
    if (condition.comparison != search::Comparison::one_of) {
        condition.operands.push_back(require_scalar(value, property));
        return condition;
    }
    if (!value.is_array() || value.empty() || value.size() > kMostOperands) {
        refuse(fmt::format("{}: in takes an array of 1 to {} values.", property.name, kMostOperands));
    }
    for (const auto& operand : value) condition.operands.push_back(require_scalar(operand, property));
    return condition;
}

search::Filter to_filter(const json& value, const sync::MediaMapping& mapping) {
    if (!value.is_object()) refuse("filter must be an object, such as {\"year\": {\"gte\": 1990}}.");
    search::Filter filter;
    for (const auto& [name, condition] : value.items()) {
        const auto* property = find_property(mapping, name);
        if (property == nullptr) refuse_unknown("property", name, property_names(mapping));
        if (!condition.is_object()) {
            filter.push_back(read_condition(*property, "eq", condition));
            continue;
        }
        for (const auto& [operation, operand] : condition.items()) {
            filter.push_back(read_condition(*property, operation, operand));
        }
    }
    if (filter.size() > kMostConditions)
        refuse(fmt::format("A filter has at most {} conditions.", kMostConditions));
    return filter;
}

std::size_t checked_k(std::int64_t k) {
    if (k < 1 || k > static_cast<std::int64_t>(search::kMostNeighbours)) {
        refuse(fmt::format("k must be from 1 to {}.", search::kMostNeighbours));
    }
    return static_cast<std::size_t>(k);
}

std::size_t read_k(const json& value) {
    if (!value.is_number_integer()) refuse("k must be an integer.");
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > search::kMostNeighbours;
    return checked_k(huge ? -1 : value.get<std::int64_t>());
}

json to_json_value(const search::Scalar& value) {
    return std::visit([](const auto& held) { return json(held); }, value);
}

/// The carried properties that an item has.
json to_object(const std::vector<std::optional<search::Scalar>>& properties,
               const sync::MediaMapping& mapping) {
    json object = json::object();
    for (std::size_t i = 0; i < properties.size(); ++i) {
        if (properties[i]) object[mapping.properties[i].name] = to_json_value(*properties[i]);
    }
    return object;
}

json to_json_value(const ItemId& id) {
    return std::visit([](const auto& value) { return json(value); }, id);
}

json to_json_value(const bolt::Value& value) {
    if (const auto* held = value.get_if<std::string>()) return *held;
    if (const auto* held = value.get_if<std::int64_t>()) return *held;
    if (const auto* held = value.get_if<double>()) return *held;
    if (const auto* held = value.get_if<bool>()) return *held;
    return nullptr;
}

std::string dump(const json& value) {
    // What another client has put into Neo4j need not be UTF-8 that JSON allows.
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

ItemId read_id(std::string_view text, const sync::MediaMapping& mapping) {
    if (mapping.id_kind == sync::IdKind::string) {
        if (text.empty() || text.size() > kMaxIdBytes) {
            refuse(fmt::format("An id has 1 to {} bytes, this one has {}.", kMaxIdBytes, text.size()));
        }
        return std::string(text);
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) refuse("An id must be an integer here.");
    if (number == std::numeric_limits<std::int64_t>::max())
        refuse("The id 2^63-1 can't be stored in Milvus.");
    return number;
}

neo4j::MediaItem read_item(const ItemId& id, std::string_view body, const sync::MediaMapping& mapping) {
    const json object = parse_object(body, "The body");
    neo4j::MediaItem item{id, std::nullopt, std::vector<bolt::Value>(mapping.properties.size()), 0};
    for (const auto& [name, value] : object.items()) {
        if (name == "embedding") {
            item.embedding = read_vector(value, name, mapping);
        } else if (const auto* property = find_property(mapping, name)) {
            if (value.is_null()) continue;
            item.properties[static_cast<std::size_t>(property - mapping.properties.data())] =
                std::visit([](auto&& held) { return bolt::Value(std::forward<decltype(held)>(held)); },
                           require_scalar(value, *property));
        } else if (name == "id") {
            if (value != to_json_value(id)) refuse("The body's id is not that of the path.");
        } else {
            auto known = property_names(mapping);
            known.emplace_back("embedding");
            refuse_unknown("property", name, known);
        }
    }
    return item;
}

SearchRequest read_search(std::string_view body, const sync::MediaMapping& mapping) {
    const json object = parse_object(body, "The body");
    SearchRequest request;
    for (const auto& [name, value] : object.items()) {
        if (name == "embedding") {
            const auto numbers = read_vector(value, name, mapping);
            request.vector.assign(numbers.begin(), numbers.end());
        } else if (name == "k") {
            request.k = read_k(value);
        } else if (name == "filter") {
            request.filter = to_filter(value, mapping);
        } else {
            refuse_unknown("member", name, {"embedding", "k", "filter"});
        }
    }
    if (request.vector.empty())
        refuse(fmt::format("embedding, an array of {} numbers, is missing.", mapping.dimension));
    return request;
}

engine::RecommendationRequest read_recommendation(std::string_view body, const sync::MediaMapping& mapping) {
    const json object = parse_object(body, "The body");
    engine::RecommendationRequest request;
    for (const auto& [name, value] : object.items()) {
        if (name == "user_id") {
            if (!value.is_string()) refuse("user_id must be a string.");
            request.user = value.get<std::string>();
        } else if (name == "k") {
            request.k = read_k(value);
        } else if (name == "strategy") {
            const auto strategy =
                value.is_string() ? engine::parse_strategy(value.get<std::string>()) : std::nullopt;
            if (!strategy) refuse("strategy must be auto, vector, graph or hybrid.");
            request.strategy = *strategy;
        } else if (name == "filter") {
            request.filter = to_filter(value, mapping);
        } else {
            refuse_unknown("member", name, {"user_id", "k", "strategy", "filter"});
        }
    }
    if (request.user.empty() || request.user.size() > kMaxIdBytes) {
        refuse(fmt::format("user_id, a string of 1 to {} bytes, is missing or too long.", kMaxIdBytes));
    }
    return request;
}

search::Filter read_filter(std::string_view text, const sync::MediaMapping& mapping) {
    return to_filter(parse_object(text, "filter"), mapping);
}

std::size_t read_k(std::string_view text) {
    std::int64_t k = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), k);
    if (error != std::errc() || end != text.data() + text.size()) k = 0;
    return checked_k(k);
}

std::string to_json(const neo4j::MediaItem& item, const sync::MediaMapping& mapping) {
    json object = {{"id", to_json_value(item.id)}, {"embedding_version", item.version}};
    for (std::size_t i = 0; i < mapping.properties.size(); ++i) {
        if (!item.properties[i].is_null())
            object[mapping.properties[i].name] = to_json_value(item.properties[i]);
    }
    if (item.embedding) object["embedding"] = *item.embedding;
    return dump(object);
}

std::string to_json(const engine::Answer& answer, const sync::MediaMapping& mapping) {
    json results = json::array();
    for (const auto& neighbour : answer.neighbours) {
        json object = to_object(neighbour.properties, mapping);
        object["id"] = to_json_value(neighbour.id);
        object["score"] = neighbour.score;
        results.push_back(std::move(object));
    }
    return dump({{"source", answer.source}, {"results", std::move(results)}});
}

std::string to_json(const engine::Recommended& recommended, const sync::MediaMapping& mapping) {
    json results = json::array();
    for (const auto& item : recommended.items) {
        json object = to_object(item.properties, mapping);
        object["id"] = to_json_value(item.id);
        object["score"] = item.score;
        object["reason"] = item.reason;
        results.push_back(std::move(object));
    }
    json answer = {{"strategy", recommended.strategy},
                   {"policy", recommended.users_policy ? "user" : "default"},
                   {"results", std::move(results)}};
    if (!recommended.source.empty()) answer["source"] = recommended.source;
    return dump(answer);
}

std::string to_json(const ItemId& id, const neo4j::Written& written) {
    return dump({{"id", to_json_value(id)}, {"embedding_version", written.version}});
}

}  // namespace crossover::service
