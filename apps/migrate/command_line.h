#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <initializer_list>
#include <stop_token>
#include <string>
#include <vector>

#include "settings/setting_flags.h"
#include "settings/settings.h"

namespace crossover::cli {

/// What a command is run with.
struct Context {
    Settings settings;
    bool json = false;  ///< --output json: the result is one JSON object on stdout
    std::stop_token stop;
};

/// One command: declares its flags when made, then runs at most once. One file a command.
class Command {
  public:
    virtual ~Command() = default;
    /// The exit code; throws crossover::Error.
    virtual int run(const Context& context) = 0;

    CLI::App* app = nullptr;

  protected:
    /// Makes `app`. Flags are shown by --help in the order in which they are added.
    void declare(CLI::App& parent, const std::string& name, const std::string& description,
                 const std::string& examples);
    /// A flag for each setting of these paths ("neo4j.uri"), under a heading.
    void add_settings(const std::string& heading, std::initializer_list<std::string_view> paths);
    void add_server_settings();
    void add_media_settings();
    void add_learning_settings();
    /// Those that every command has; to be added last.
    void add_general_flags();

  private:
    friend class CommandLine;
    SettingFlags flags_;
    std::string output_ = "text";
};

/// Reads the arguments. Errors are Error(usage) with the nearest known flag or command.
class CommandLine {
  public:
    CommandLine();

    struct Parsed {
        Command* command = nullptr;  ///< null where help or the version was asked for and printed
        Context context;
    };
    Parsed parse(int count, const char* const* arguments,
                 const std::function<const char*(const char*)>& environment);

  private:
    CLI::App app_;
    std::vector<std::unique_ptr<Command>> commands_;
};

}  // namespace crossover::cli
