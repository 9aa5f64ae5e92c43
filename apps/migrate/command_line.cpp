#include "command_line.h"

#include <fmt/format.h>

#include <iostream>

#include "commands.h"
#include "core/error.h"
#include "core/text.h"

namespace crossover::cli {

const char* const kExitCodesHelp =
    "EXIT CODES\n"
    "    0  done\n"
    "    1  failed\n"
    "    2  wrong usage or configuration (also a refused password, or a database that does not exist)\n"
    "    3  a server is unreachable, or did not answer in time\n"
    "    4  finished, with items quarantined or inconsistent\n"
    "    5  not ready, or refused\n"
    "  130  interrupted; where there is a checkpoint, it is saved";

namespace {

constexpr const char* kEnvironmentHelp =
    "PASSWORDS are read from the environment (NEO4J_PASSWORD, MILVUS_TOKEN) or the configuration file, "
    "never\n"
    "from flags. A flag beats the environment, which beats the file (--config, CONFIG_PATH, or\n"
    "/etc/recommendation-engine/config.yaml).";

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
    const auto guess = nearest(word, known);
    return guess ? fmt::format(" Did you mean {}?", *guess) : std::string();
}

std::vector<std::string> long_flags(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
}

/// CLI11's own message names no alternative.
void refuse_extras(const CLI::App& app, const std::string& command) {
    const auto extras = app.remaining();
    if (extras.empty()) return;
    const auto word = extras.front().substr(0, extras.front().find('='));
    if (word.starts_with('-')) {
        refuse(fmt::format("{} has no flag {}.{} See '{} --help'.", command, word,
                           did_you_mean(word, long_flags(app)), command));
    }
    refuse(fmt::format("{} does not take the argument '{}'. See '{} --help'.", command, word, command));
}

}  // namespace

void Command::declare(CLI::App& parent, const std::string& name, const std::string& description,
                      const std::string& examples) {
    app = parent.add_subcommand(name, description);
    app->allow_extras();
    app->footer(fmt::format("\nEXAMPLES\n{}\n\n{}\n\n{}", examples, kEnvironmentHelp, kExitCodesHelp));
    app->group("Commands");
    app->set_help_flag();
}

void Command::add_general_flags() {
    app->add_option("--output", output_, "text for a person, json for a program (docs/api/cli-json.md)")
        ->type_name("text|json")
        ->default_str("text")
        ->group("General");
    app->add_option("--config", config_file_, "YAML file with any of these settings")
        ->type_name("FILE")
        ->group("General");
    app->set_help_flag("-h,--help", "this text")->group("General");
}

void Command::add_settings(const std::string& heading, std::initializer_list<std::string_view> paths) {
    for (const auto path : paths) {
        const auto& key = setting_key(path);
        auto& value = values_.emplace_back();
        auto help = std::string(key.help);
        if (!key.environment.empty()) help += fmt::format(" ({})", key.environment);
        auto* option = app->add_option(std::string(key.flag), value, help)
                           ->type_name(std::string(key.placeholder))
                           ->take_last()
                           ->group(heading);
        const auto shown = default_text(key);
        if (!shown.empty()) option->default_str(shown);
        flags_.push_back({&key, option});
    }
}

void Command::add_server_settings() {
    add_settings("Servers", {"neo4j.uri", "neo4j.user", "neo4j.database", "neo4j.ca_file", "milvus.uri",
                             "milvus.database", "milvus.ca_file"});
}

void Command::add_media_settings() {
    add_settings("What to copy", {"media.label", "media.id_property", "media.embedding_property",
                                  "media.properties", "media.collection", "media.metric", "media.dimension"});
}

CommandLine::CommandLine()
    : app_("Moves the embeddings of a running recommender from Neo4j to Milvus.", "migrate") {
    app_.set_help_flag("-h,--help", "this text");
    app_.set_version_flag("--version", "migrate " CROSSOVER_VERSION, "say the version and end");
    app_.allow_extras();
    app_.footer(
        fmt::format("\nTHE USUAL ORDER\n"
                    "  migrate preflight            what is there, and is it enough?\n"
                    "  migrate migrate-embeddings   copy; may be interrupted and run again at any time\n"
                    "  migrate validate             are both stores equal?\n"
                    "\n'migrate COMMAND --help' tells more.\n\n{}",
                    kExitCodesHelp));
    app_.get_formatter()->column_width(36);
    app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
    commands_.push_back(make_preflight(app_));
    commands_.push_back(make_migrate_embeddings(app_));
    commands_.push_back(make_validate(app_));
    commands_.push_back(make_monitor(app_));
}

CommandLine::Parsed CommandLine::parse(int count, const char* const* arguments,
                                       const std::function<const char*(const char*)>& environment) {
    try {
        app_.parse(count, arguments);
    } catch (const CLI::Success& asked) {
        app_.exit(asked, std::cout, std::cerr);
        return {};
    } catch (const CLI::ParseError& error) {
        std::string text = error.what();
        while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
        refuse(text + ". See 'migrate --help'.");
    }
    Command* chosen = nullptr;
    for (const auto& command : commands_) {
        if (command->app->parsed()) chosen = command.get();
    }
    if (chosen == nullptr) {
        const auto extras = app_.remaining();
        if (extras.empty()) {
            std::cout << app_.help();
            refuse("No command was given.");
        }
        std::vector<std::string> names;
        for (const auto& command : commands_) names.push_back(command->app->get_name());
        if (extras.front().starts_with('-')) refuse_extras(app_, "migrate");
        refuse(fmt::format("There is no command '{}'.{} See 'migrate --help'.", extras.front(),
                           did_you_mean(extras.front(), names)));
    }
    refuse_extras(*chosen->app, "migrate " + chosen->app->get_name());
    refuse_extras(app_, "migrate");
    if (chosen->output_ != "text" && chosen->output_ != "json") {
        refuse(fmt::format("--output must be text or json, not '{}'.", chosen->output_));
    }
    SettingSources sources;
    sources.environment = environment;
    if (!chosen->config_file_.empty()) sources.config_file = chosen->config_file_;
    for (const auto& flag : chosen->flags_) {
        if (flag.option->count() > 0) sources.flags.emplace_back(flag.key, flag.option->results().back());
    }
    Parsed parsed;
    parsed.command = chosen;
    parsed.context.settings = load_settings(sources);
    parsed.context.json = chosen->output_ == "json";
    return parsed;
}

}  // namespace crossover::cli
