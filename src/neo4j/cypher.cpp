#include "neo4j/cypher.h"

#include <fmt/format.h>

namespace crossover::neo4j {

std::string quote_name(const std::string& name) {
    std::string quoted = "`";
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '`') {
            quoted += "``";
        } else if (name[i] == '\\' && i + 1 < name.size() && name[i + 1] == 'u') {
            // Cypher 5 reads \uXXXX anywhere in a query, before it looks for the closing backtick.
            quoted += "\\u005C";
        } else {
            quoted += name[i];
        }
    }
    return quoted + "`";
}

bolt::Value to_value(const ItemId& id) {
    return std::visit([](const auto& value) { return bolt::Value(value); }, id);
}

std::optional<ItemId> to_item_id(const bolt::Value& value) {
    if (const auto* text = value.get_if<std::string>()) return ItemId(*text);
    if (const auto* number = value.get_if<std::int64_t>()) return ItemId(*number);
    return std::nullopt;
}

std::string text_of(const bolt::Value& value) {
    const auto* text = value.get_if<std::string>();
    return text != nullptr ? *text : std::string();
}

std::int64_t integer_of(const bolt::Value& value) {
    const auto* number = value.get_if<std::int64_t>();
    return number != nullptr ? *number : 0;
}

double number_of(const bolt::Value& value) {
    if (const auto* number = value.get_if<double>()) return *number;
    return static_cast<double>(integer_of(value));
}

std::optional<std::vector<double>> numbers_of(const bolt::Value& value) {
    if (const auto* vector = value.get_if<bolt::Vector>()) {
        return std::visit(
            [](const auto& elements) { return std::vector<double>(elements.begin(), elements.end()); },
            vector->elements);
    }
    const auto* list = value.get_if<bolt::List>();
    if (list == nullptr) return std::nullopt;
    std::vector<double> numbers;
    numbers.reserve(list->size());
    for (const auto& element : *list) {
        if (element.get_if<double>() == nullptr && element.get_if<std::int64_t>() == nullptr)
            return std::nullopt;
        numbers.push_back(number_of(element));
    }
    return numbers;
}

Error undecodable(const bolt::Decoder& fields) {
    return Error(System::neo4j, ErrorKind::protocol,
                 fmt::format("Neo4j sent a record that can't be decoded: {}.", to_string(fields.error())));
}

}  // namespace crossover::neo4j
