#include "service/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "neo4j/scalar.h"
#include "neo4j/value_text.h"
#include "simdjson.h"
#include "sync/direction.h"

namespace crossover::service {
namespace {

using nlohmann::json;
using simdjson::dom::element;
using simdjson::dom::object;

/// A parser keeps the room that its greatest document took, about eight times its length.
constexpr std::size_t kLongestForKeptParser = 64 * 1024;
constexpr std::size_t kMostConditions = 16;
constexpr std::size_t kMostOperands = 100;
constexpr std::size_t kMaxDecisionBytes = 128;

[[noreturn]] void refuse(const std::string& detail) {
    throw BadRequest(422, detail);
}

/// `read(object)`; what it gets is gone afterwards. Not to be nested.
template <class Read>
auto with_object(std::string_view text, std::string_view what, Read read) {
    thread_local simdjson::dom::parser kept;
    simdjson::dom::parser own;
    auto& parser = text.size() <= kLongestForKeptParser ? kept : own;
    element parsed;
    if (const auto error = parser.parse(text.data(), text.size()).get(parsed)) {
        throw BadRequest(400,
                         fmt::format("{} is not JSON: {}{}", what, simdjson::error_message(error),
                                     error == simdjson::NUMBER_ERROR
                                         ? " (integers have up to 64 bits: greater numbers need an exponent)"
                                         : ""));
    }
    object members;
    if (parsed.get(members)) refuse(fmt::format("{} must be a JSON object.", what));
    return read(members);
}

bool is_integer(element value) {
    return value.is_int64() || value.is_uint64();
}

/// simdjson's is_double() holds for every number.
bool is_double(element value) {
    return value.type() == simdjson::dom::element_type::DOUBLE;
}

/// Neo4j has lists of values of one kind, none of them null or a list.
bool is_storable_list(simdjson::dom::array values) {
    std::optional<simdjson::dom::element_type> kind;
    for (const element value : values) {
        const auto type = value.type();
        if (type != simdjson::dom::element_type::STRING && type != simdjson::dom::element_type::BOOL &&
            type != simdjson::dom::element_type::INT64 && type != simdjson::dom::element_type::DOUBLE) {
            return false;
        }
        if (kind && *kind != type) return false;
        kind = type;
    }
    return true;
}

/// What Neo4j is to hold for a value of any type: the value where it can, else its JSON text.
bolt::Value to_stored(element value) {
    if (value.is_null()) return {};
    if (value.is_string()) return std::string(std::string_view(value));
    if (value.is_bool()) return bool(value);
    if (value.is_int64()) return std::int64_t(value);
    if (is_double(value)) return double(value);
    simdjson::dom::array values;
    if (!value.get(values) && is_storable_list(values)) {
        bolt::List list;
        for (const element one : values) list.push_back(to_stored(one));
        return list;
    }
    return simdjson::minify(value);
}

std::string_view type_text(sync::PropertyType type) {
    switch (type) {
        case sync::PropertyType::boolean:
            return "true or false";
        case sync::PropertyType::int64:
            return "an integer";
        case sync::PropertyType::float64:
            return "a number that a double holds exactly";
        case sync::PropertyType::text:
            return "a value";
    }
    return "a value";
}

/// The value in the property's own type; empty where it is of another.
std::optional<search::Scalar> to_scalar(element value, sync::PropertyType type) {
    switch (type) {
        case sync::PropertyType::boolean:
            if (value.is_bool()) return bool(value);
            break;
        case sync::PropertyType::int64:
            if (value.is_int64()) return std::int64_t(value);
            break;
        case sync::PropertyType::float64:
            if (is_double(value) || (value.is_int64() && sync::fits_float64(std::int64_t(value)))) {
                return double(value);
            }
            break;
        case sync::PropertyType::text:
            if (!value.is_null()) return neo4j::to_text(to_stored(value));
            break;
    }
    return std::nullopt;
}

search::Scalar require_scalar(element value, const sync::CarriedProperty& property) {
    auto scalar = to_scalar(value, property.type);
    if (!scalar) refuse(fmt::format("{} must be {}.", property.name, type_text(property.type)));
    const auto* text = std::get_if<std::string>(&*scalar);
    if (text != nullptr && text->size() > property.max_bytes) {
        refuse(fmt::format("{} has {} bytes, at most {} are possible.", property.name, text->size(),
                           property.max_bytes));
    }
    return *std::move(scalar);
}

/// Of a text property Neo4j gets the value itself, of which Milvus carries the text.
bolt::Value read_property(element value, const sync::CarriedProperty& property) {
    if (value.is_null()) return {};
    auto scalar = require_scalar(value, property);
    if (property.type == sync::PropertyType::text) return to_stored(value);
    return neo4j::to_value(scalar);
}

std::vector<double> read_vector(element value, std::string_view name, const sync::MediaMapping& mapping) {
    simdjson::dom::array values;
    if (value.get(values)) refuse(fmt::format("{} must be an array of {} numbers.", name, mapping.dimension));
    // size() of an array stops counting at 16 million, far beyond any body.
    if (values.size() != mapping.dimension) {
        refuse(fmt::format("{} has {} values, expected {}.", name, values.size(), mapping.dimension));
    }
    std::vector<double> numbers;
    numbers.reserve(values.size());
    std::vector<float> stored;
    stored.reserve(values.size());
    for (const element component : values) {
        if (!component.is_number()) refuse(fmt::format("{}[{}] is no number.", name, numbers.size()));
        const auto number = double(component);
        stored.push_back(static_cast<float>(number));
        if (!std::isfinite(stored.back()))
            refuse(fmt::format("{}[{}] does not fit a float32.", name, numbers.size()));
        numbers.push_back(number);
    }
    if (const auto why = sync::why_incomparable(stored, mapping.metric); !why.empty()) {
        refuse(fmt::format("{} {}.", name, why));
    }
    return numbers;
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

search::Condition read_condition(const sync::CarriedProperty& property, std::string_view operation,
                                 element value) {
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
    simdjson::dom::array operands;
    if (value.get(operands) || operands.size() == 0 || operands.size() > kMostOperands) {
        refuse(fmt::format("{}: in takes an array of 1 to {} values.", property.name, kMostOperands));
    }
    for (const element operand : operands) condition.operands.push_back(require_scalar(operand, property));
    return condition;
}

search::Filter to_filter(object conditions, const sync::MediaMapping& mapping) {
    search::Filter filter;
    for (const auto& [name, condition] : conditions) {
        const auto* property = find_property(mapping, name);
        if (property == nullptr) refuse_unknown("property", name, property_names(mapping));
        object operations;
        if (condition.get(operations)) {
            filter.push_back(read_condition(*property, "eq", condition));
            continue;
        }
        for (const auto& [operation, operand] : operations) {
            filter.push_back(read_condition(*property, operation, operand));
        }
    }
    if (filter.size() > kMostConditions)
        refuse(fmt::format("A filter has at most {} conditions.", kMostConditions));
    return filter;
}

search::Filter read_filter(element value, const sync::MediaMapping& mapping) {
    object conditions;
    if (value.get(conditions)) refuse("filter must be an object, such as {\"year\": {\"gte\": 1990}}.");
    return to_filter(conditions, mapping);
}

std::size_t checked_k(std::int64_t k) {
    if (k < 1 || k > static_cast<std::int64_t>(search::kMostNeighbours)) {
        refuse(fmt::format("k must be from 1 to {}.", search::kMostNeighbours));
    }
    return static_cast<std::size_t>(k);
}

std::size_t read_k(element value) {
    if (!is_integer(value)) refuse("k must be an integer.");
    return checked_k(value.is_int64() ? std::int64_t(value) : -1);
}

/// 1 to `most` bytes without NUL, which PostgreSQL has no room for.
std::string read_text(element value, std::string_view name, std::size_t most) {
    const auto text = value.is_string() ? std::string_view(value) : std::string_view();
    if (text.empty() || text.size() > most)
        refuse(fmt::format("{} must be a string of 1 to {} bytes.", name, most));
    if (text.find('\0') != std::string_view::npos) refuse(fmt::format("{} must not hold \\u0000.", name));
    return std::string(text);
}

[[noreturn]] void refuse_name(std::string_view name) {
    refuse(fmt::format("{} must be 1 to 64 letters, digits and any of . _ = -", name));
}

std::string read_state(element value, std::string_view name) {
    auto text = read_text(value, name, kMaxDecisionBytes);
    if (!learning::is_state_name(text)) refuse_name(name);
    return text;
}

double read_reward(element value) {
    const auto reward = value.is_number() ? double(value) : std::numeric_limits<double>::quiet_NaN();
    if (!(reward >= learning::kLeastReward && reward <= learning::kGreatestReward)) {
        refuse("reward must be a number from -1 to 1.");
    }
    return reward;
}

bool equals(element value, const ItemId& id) {
    if (const auto* text = std::get_if<std::string>(&id)) {
        return value.is_string() && std::string_view(value) == *text;
    }
    return value.is_int64() && std::int64_t(value) == std::get<std::int64_t>(id);
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
    neo4j::MediaItem item{id, std::nullopt, std::vector<bolt::Value>(mapping.properties.size()), 0};
    with_object(body, "The body", [&](object members) {
        for (const auto& [name, value] : members) {
            if (name == "embedding") {
                item.embedding = read_vector(value, name, mapping);
            } else if (const auto* property = find_property(mapping, name)) {
                auto& held = item.properties[static_cast<std::size_t>(property - mapping.properties.data())];
                held = read_property(value, *property);
            } else if (name == "id") {
                if (!equals(value, id)) refuse("The body's id is not that of the path.");
            } else {
                auto known = property_names(mapping);
                known.emplace_back("embedding");
                refuse_unknown("property", name, known);
            }
        }
    });
    return item;
}

SearchRequest read_search(std::string_view body, const sync::MediaMapping& mapping) {
    SearchRequest request;
    with_object(body, "The body", [&](object members) {
        for (const auto& [name, value] : members) {
            if (name == "embedding") {
                const auto numbers = read_vector(value, name, mapping);
                request.vector.assign(numbers.begin(), numbers.end());
            } else if (name == "k") {
                request.k = read_k(value);
            } else if (name == "filter") {
                request.filter = read_filter(value, mapping);
            } else {
                refuse_unknown("member", name, {"embedding", "k", "filter"});
            }
        }
    });
    if (request.vector.empty())
        refuse(fmt::format("embedding, an array of {} numbers, is missing.", mapping.dimension));
    return request;
}

engine::RecommendationRequest read_recommendation(std::string_view body, const sync::MediaMapping& mapping) {
    engine::RecommendationRequest request;
    with_object(body, "The body", [&](object members) {
        for (const auto& [name, value] : members) {
            if (name == "user_id") {
                if (!value.is_string()) refuse("user_id must be a string.");
                request.user = std::string_view(value);
            } else if (name == "k") {
                request.k = read_k(value);
            } else if (name == "strategy") {
                const auto strategy =
                    value.is_string() ? engine::parse_strategy(std::string_view(value)) : std::nullopt;
                if (!strategy) refuse("strategy must be auto, vector, graph or hybrid.");
                request.strategy = *strategy;
            } else if (name == "filter") {
                request.filter = read_filter(value, mapping);
            } else {
                refuse_unknown("member", name, {"user_id", "k", "strategy", "filter"});
            }
        }
    });
    if (request.user.empty() || request.user.size() > kMaxIdBytes) {
        refuse(fmt::format("user_id, a string of 1 to {} bytes, is missing or too long.", kMaxIdBytes));
    }
    return request;
}

learning::Experience read_feedback(std::string_view body) {
    learning::Experience experience;
    std::string feedback_id;
    std::optional<std::string> state;
    std::optional<learning::Action> action;
    std::optional<learning::Decision> decision;
    bool rewarded = false;
    with_object(body, "The body", [&](object members) {
        for (const auto& [name, value] : members) {
            if (name == "user_id") {
                experience.agent = read_text(value, name, learning::kMaxAgentBytes);
            } else if (name == "reward") {
                experience.reward = read_reward(value);
                rewarded = true;
            } else if (name == "decision") {
                decision = learning::parse_decision(read_text(value, name, kMaxDecisionBytes));
                if (!decision) refuse("decision must be as a recommendation's answer had it.");
            } else if (name == "state") {
                state = read_state(value, name);
            } else if (name == "action") {
                action = value.is_string() ? learning::parse_action(std::string_view(value)) : std::nullopt;
                if (!action) refuse("action must be vector, graph or hybrid.");
            } else if (name == "next_state") {
                experience.next_state = read_state(value, name);
            } else if (name == "done") {
                if (!value.is_bool()) refuse("done must be true or false.");
                experience.done = bool(value);
            } else if (name == "media_id") {
                if (value.is_int64()) {
                    experience.media = std::int64_t(value);
                } else {
                    experience.media = read_text(value, name, kMaxIdBytes);
                }
            } else if (name == "feedback_id") {
                feedback_id = read_text(value, name, kMaxDecisionBytes);
                if (!learning::is_feedback_id(feedback_id)) refuse_name(name);
            } else {
                refuse_unknown("member", name,
                               {"user_id", "reward", "decision", "state", "action", "next_state", "done",
                                "media_id", "feedback_id"});
            }
        }
    });
    if (experience.agent.empty()) {
        refuse(fmt::format("user_id, a string of 1 to {} bytes, is missing.", learning::kMaxAgentBytes));
    }
    if (!rewarded) refuse("reward, a number from -1 to 1, is missing.");
    if (decision.has_value() == (state || action) || state.has_value() != action.has_value()) {
        refuse("Either decision, as a recommendation's answer had it, or both state and action are needed.");
    }
    experience.decision = decision ? *std::move(decision) : learning::Decision{*std::move(state), *action};
    experience.key = learning::experience_key(experience.agent, feedback_id);
    return experience;
}

search::Filter read_filter(std::string_view text, const sync::MediaMapping& mapping) {
    return with_object(text, "filter", [&](object conditions) { return to_filter(conditions, mapping); });
}

std::size_t read_k(std::string_view text) {
    std::int64_t k = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), k);
    if (error != std::errc() || end != text.data() + text.size()) k = 0;
    return checked_k(k);
}

std::string to_json(const neo4j::MediaItem& item, const sync::MediaMapping& mapping) {
    json object = to_object(neo4j::to_scalars(item.properties, mapping), mapping);
    object["id"] = to_json_value(item.id);
    object["embedding_version"] = item.version;
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
    if (recommended.decision) {
        answer["decision"] = to_string(*recommended.decision);
        answer["explored"] = recommended.explored;
    }
    return dump(answer);
}

std::string to_json(const ItemId& id, const neo4j::Written& written) {
    return dump({{"id", to_json_value(id)}, {"embedding_version", written.version}});
}

std::string to_json(const learning::Recorded& recorded) {
    return dump({{"value", recorded.arm.value},
                 {"visits", recorded.arm.visits},
                 {"recorded", !recorded.again},
                 {"store", recorded.store}});
}

}  // namespace crossover::service
