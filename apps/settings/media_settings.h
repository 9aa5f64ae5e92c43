#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crossover {

struct Settings;

/// One of `--properties`: PROPERTY[=FIELD][:TYPE], a backslash before `,` `=` `:` and `\` in names.
struct PropertySetting {
    std::string name;   ///< in Neo4j
    std::string field;  ///< in Milvus; the name where none is given
    std::string type;   ///< boolean, int64, float64 or text; empty where none is given
};

/// The parts between commas that no backslash stands before, without blanks at their ends; empty ones are
/// left out.
std::vector<std::string> split_properties(std::string_view text);
/// Throws Error(config, usage).
PropertySetting parse_property(std::string_view text);

/// Throws Error(config, usage), with the rule, where what is to be copied can't be as the settings say,
/// whatever the servers hold: names that Milvus refuses or keeps for itself, or the HTTP API does, two things
/// of one name, too many properties. The rules are those of Milvus 2.3 and later.
void require_sound_media(const Settings& settings);

}  // namespace crossover
