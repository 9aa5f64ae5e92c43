#include "neo4j/value_text.h"

#include <fmt/format.h>

namespace crossover::neo4j {

std::string to_text(const bolt::Value& value) {
    if (const auto* text = value.get_if<std::string>()) return *text;
    if (const auto* number = value.get_if<std::int64_t>()) return std::to_string(*number);
    if (const auto* number = value.get_if<double>()) return fmt::format("{}", *number);
    if (const auto* flag = value.get_if<bool>()) return *flag ? "true" : "false";
    if (const auto* list = value.get_if<bolt::List>()) {
        std::string text = "[";
        for (const auto& element : *list) text += (text.size() > 1 ? ", " : "") + to_text(element);
        return text + "]";
    }
    if (const auto* date = value.get_if<bolt::Date>()) return fmt::format("Date({})", date->days);
    if (const auto* time = value.get_if<bolt::DateTime>()) {
        return fmt::format("DateTime({}.{:09})", time->seconds, time->nanoseconds);
    }
    if (const auto* time = value.get_if<bolt::LocalDateTime>()) {
        return fmt::format("LocalDateTime({}.{:09})", time->seconds, time->nanoseconds);
    }
    return std::string(value.type_name());
}

}  // namespace crossover::neo4j
