#include "settings/media_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "settings/settings.h"

namespace crossover {
namespace {

constexpr std::size_t kMostNameBytes = 255;
/// Behind the alias stand collections of its name and "_v1", "_v2", …
constexpr std::size_t kMostAliasBytes = 250;
/// Of a collection's 64 fields three are the id, the embedding and its version.
constexpr std::size_t kMostProperties = 61;

constexpr std::string_view kVersion = "embedding_version";
/// Members of the HTTP API's items and answers that are no carried properties; see docs/api/openapi.yaml.
constexpr std::array<std::string_view, 4> kOfTheApi = {"id", "embedding", "score", "reason"};
/// The engine marks a node with it while it writes.
constexpr std::string_view kTouched = "crossover_touched";

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name_character(char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
}

constexpr std::string_view kNameRule =
    "a name there is of letters A to Z, digits and underscores, and does not begin with a digit";

bool is_name(std::string_view text) {
    return !text.empty() && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(), is_name_character);
}

/// Fields that each collection has beside those of its schema, and words that a filter can't tell from a
/// field: newer servers refuse these, older ones take them and then fail to filter.
bool is_reserved(std::string_view field) {
    static constexpr std::array<std::string_view, 2> kFields = {"RowID", "Timestamp"};
    static constexpr std::array<std::string_view, 19> kWords = {"like",
                                                                "exists",
                                                                "and",
                                                                "or",
                                                                "not",
                                                                "in",
                                                                "is",
                                                                "null",
                                                                "true",
                                                                "false",
                                                                "json_contains",
                                                                "json_contains_all",
                                                                "json_contains_any",
                                                                "array_contains",
                                                                "array_contains_all",
                                                                "array_contains_any",
                                                                "array_length",
                                                                "text_match",
                                                                "phrase_match"};
    std::string lower(field);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::find(kFields.begin(), kFields.end(), field) != kFields.end() ||
           std::find(kWords.begin(), kWords.end(), lower) != kWords.end() || lower == "random_sample";
}

/// A field name that Milvus takes, for an example.
std::string possible_field(std::string_view name) {
    std::string field;
    for (const char c : name) {
        if (is_name_character(c)) {
            field += c;
        } else if (!field.empty() && field.back() != '_') {
            field += '_';
        }
    }
    if (field.empty() || !is_letter(field.front()) || is_reserved(field)) field = "my_" + field;
    return field.substr(0, kMostNameBytes);
}

std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (std::string_view(",=:\\").find(c) != std::string_view::npos) text += '\\';
        text += c;
    }
    return text;
}

std::string origin_of(const Settings& settings, std::string_view path) {
    const auto found = settings.origins.find(path);
    return found != settings.origins.end() ? found->second : std::string(setting_key(path).flag);
}

void require_name(const Settings& settings, std::string_view path, const std::string& value) {
    if (value.empty()) refuse(fmt::format("{} must not be empty.", origin_of(settings, path)));
    if (value == kVersion || value == kTouched) {
        refuse(fmt::format("{} must not be {}, which Crossover keeps on each node itself.",
                           origin_of(settings, path), value));
    }
}

void require_alias(const Settings& settings) {
    const auto& alias = settings.collection;
    const auto origin = origin_of(settings, "media.collection");
    if (!is_name(alias)) {
        refuse(fmt::format("{} must be a name that Milvus takes, not '{}': {}. Such as {}.", origin, alias,
                           kNameRule, possible_field(alias)));
    }
    if (alias.size() > kMostAliasBytes) {
        refuse(
            fmt::format("{} has {} bytes, at most {} are possible.", origin, alias.size(), kMostAliasBytes));
    }
}

void require_field(const std::string& origin, const PropertySetting& property) {
    const auto& field = property.field;
    const auto rename = fmt::format("Give it another name in Milvus: {}={}", escaped(property.name),
                                    possible_field(property.name + (is_name(property.name) ? "_value" : "")));
    if (!is_name(field)) {
        refuse(fmt::format("{}: '{}' can't be a field of Milvus: {}. {}", origin, field, kNameRule, rename));
    }
    if (field.size() > kMostNameBytes) {
        refuse(
            fmt::format("{}: '{}' can't be a field of Milvus: it has {} bytes, at most {} are possible. {}",
                        origin, field, field.size(), kMostNameBytes, rename));
    }
    if (is_reserved(field)) {
        refuse(fmt::format("{}: '{}' can't be a field of Milvus, which keeps this word for itself. {}",
                           origin, field, rename));
    }
    if (field == "id" || field == "embedding" || field == kVersion) {
        refuse(fmt::format("{}: the field {} of the collection is the {} itself. {}", origin, field,
                           field == kVersion ? "version"
                           : field == "id"   ? "key"
                                             : "vector",
                           rename));
    }
}

}  // namespace

std::vector<std::string> split_properties(std::string_view text) {
    std::vector<std::string> parts;
    std::string part;
    const auto end_part = [&] {
        const auto first = part.find_first_not_of(' ');
        if (first != std::string::npos)
            parts.push_back(part.substr(first, part.find_last_not_of(' ') + 1 - first));
        part.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',') {
            end_part();
            continue;
        }
        part += text[i];
        if (text[i] == '\\' && i + 1 < text.size()) part += text[++i];
    }
    end_part();
    return parts;
}

PropertySetting parse_property(std::string_view text) {
    static const std::vector<std::string> kTypes = {"boolean", "int64", "float64", "text"};
    PropertySetting property;
    std::string* part = &property.name;
    bool has_field = false, has_type = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            if (++i == text.size() || std::string_view(",=:\\").find(text[i]) == std::string_view::npos) {
                refuse(fmt::format("'{}': a backslash stands before one of , = : and \\ in a name.", text));
            }
            *part += text[i];
        } else if (text[i] == '=' && !has_field && !has_type) {
            has_field = true;
            part = &property.field;
        } else if (text[i] == ':' && !has_type) {
            has_type = true;
            part = &property.type;
        } else if (text[i] == '=' || text[i] == ':') {
            refuse(
                fmt::format("'{}' is not of the form PROPERTY[=FIELD][:TYPE]. In a name a backslash goes "
                            "before , = : and \\.",
                            text));
        } else {
            *part += text[i];
        }
    }
    if (property.name.empty() || (has_field && property.field.empty())) {
        refuse(fmt::format("'{}' is not of the form PROPERTY[=FIELD][:TYPE].", text));
    }
    if (!has_field) property.field = property.name;
    if (has_type && std::find(kTypes.begin(), kTypes.end(), property.type) == kTypes.end()) {
        const auto guess = nearest(property.type, kTypes);
        refuse(fmt::format("'{}': there is no type '{}'{} The types are boolean, int64, float64 and text.",
                           text, property.type, guess ? fmt::format("; is {} meant?", *guess) : "."));
    }
    return property;
}

void require_sound_media(const Settings& settings) {
    require_name(settings, "media.label", settings.label);
    require_name(settings, "media.id_property", settings.id_property);
    require_name(settings, "media.embedding_property", settings.embedding_property);
    if (settings.id_property == settings.embedding_property) {
        refuse(fmt::format("{} and {} must differ, both are '{}'.", origin_of(settings, "media.id_property"),
                           origin_of(settings, "media.embedding_property"), settings.id_property));
    }
    require_alias(settings);

    const auto origin = origin_of(settings, "media.properties");
    if (settings.properties.size() > kMostProperties) {
        refuse(
            fmt::format("{} names {} properties; a collection has room for {} beside id, embedding and "
                        "embedding_version.",
                        origin, settings.properties.size(), kMostProperties));
    }
    std::set<std::string> names;
    std::map<std::string, std::string> fields;  // → property
    for (const auto& text : settings.properties) {
        PropertySetting property;
        try {
            property = parse_property(text);
        } catch (const Error& error) {
            refuse(fmt::format("{}: {}", origin, error.what()));
        }
        if (!names.insert(property.name).second)
            refuse(fmt::format("{} names '{}' twice.", origin, property.name));
        if (property.name == settings.id_property || property.name == settings.embedding_property) {
            refuse(fmt::format("{}: '{}' is the {} of each item already: leave it out.", origin,
                               property.name, property.name == settings.id_property ? "id" : "embedding"));
        }
        if (property.name == kVersion || property.name == kTouched) {
            refuse(fmt::format("{}: '{}' is kept on each node by Crossover itself: leave it out.", origin,
                               property.name));
        }
        if (std::find(kOfTheApi.begin(), kOfTheApi.end(), property.name) != kOfTheApi.end()) {
            refuse(
                fmt::format("{}: '{}' is a name that the HTTP API of recommendation-engine keeps for itself "
                            "(id, embedding, score, reason), where a property's name in Neo4j stands beside "
                            "them. Leave it out, or copy it to a property of another name in Neo4j.",
                            origin, property.name));
        }
        require_field(origin, property);
        const auto [other, unique] = fields.emplace(property.field, property.name);
        if (!unique) {
            refuse(fmt::format("{}: '{}' and '{}' would both be the field {}.", origin, other->second,
                               property.name, property.field));
        }
    }
}

}  // namespace crossover
