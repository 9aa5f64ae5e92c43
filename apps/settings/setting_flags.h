#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "settings/settings.h"

namespace crossover::cli {

/// Settings as flags of a program or command, and the configuration file that may give them. Must not move.
class SettingFlags {
  public:
    SettingFlags() = default;
    SettingFlags(const SettingFlags&) = delete;
    SettingFlags& operator=(const SettingFlags&) = delete;

    /// A flag for each setting of these paths ("neo4j.uri"), under a heading.
    void add(CLI::App& app, const std::string& heading, std::initializer_list<std::string_view> paths);
    void add_config_file(CLI::App& app, const std::string& heading);
    /// What was given, once the arguments are parsed.
    SettingSources sources(const std::function<const char*(const char*)>& environment) const;

  private:
    struct Flag {
        const SettingKey* key;
        CLI::Option* option;
    };
    std::vector<Flag> flags_;
    std::string config_file_;
    std::deque<std::string> values_;  ///< of flags_; must not move
};

/// Throws Error(usage) for arguments that `app` did not take, naming the nearest flag. `command` as a person
/// types it.
void refuse_extras(const CLI::App& app, const std::string& command);
/// " Did you mean X?", or empty.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& known);

/// The exit codes, and where settings come from, as help shows them.
extern const char* const kExitCodesHelp;
extern const char* const kSettingsHelp;

}  // namespace crossover::cli
