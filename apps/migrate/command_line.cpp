#include "command_line.h"

#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "base/text.h"
#include "commands.h"

namespace crossover::cli {

namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

}  // namespace

void Command::declare(CLI::App& parent, const std::string& name, const std::string& description,
                      const std::string& examples) {
    app = parent.add_subcommand(name, description);
    app->allow_extras();
    app->footer(fmt::format("\nEXAMPLES\n{}\n\n{}\n\n{}", examples, kSettingsHelp, kExitCodesHelp));
    app->group("Commands");
    app->set_help_flag();
}

void Command::add_general_flags() {
    app->add_option("--output", output_, "text for a person, json for a program (docs/api/cli-json.md)")
        ->type_name("text|json")
        ->default_str("text")
        ->group("General");
    flags_.add_config_file(*app, "General");
    app->set_help_flag("-h,--help", "this text")->group("General");
}

void Command::add_settings(const std::string& heading, std::initializer_list<std::string_view> paths) {
    flags_.add(*app, heading, paths);
}

void Command::add_server_settings() {
    add_settings("Servers", {"neo4j.uri", "neo4j.user", "neo4j.database", "neo4j.ca_file", "milvus.uri",
                             "milvus.database", "milvus.ca_file", "redis.ca_file"});
}

void Command::add_media_settings() {
    add_settings("What to copy", {"media.label", "media.id_property", "media.embedding_property",
                                  "media.properties", "media.collection", "media.metric", "media.dimension"});
}

void Command::add_learning_settings() {
    add_settings(
        "The learning state's keys and fields",
        {"agentdb.key_prefix", "agentdb.fields.agent_id", "agentdb.fields.state", "agentdb.fields.action",
         "agentdb.fields.reward", "agentdb.fields.next_state", "agentdb.fields.done",
         "agentdb.fields.timestamp", "agentdb.fields.state_hash", "agentdb.fields.q_value"});
}

CommandLine::CommandLine()
    : app_(
          "Moves a running recommender from Neo4j to Milvus, and its learning state from Redis to "
          "PostgreSQL.",
          "migrate") {
    app_.set_help_flag("-h,--help", "this text");
    app_.set_version_flag("--version", "migrate " CROSSOVER_VERSION, "say the version and end");
    app_.allow_extras();
    app_.footer(
        fmt::format("\nTHE USUAL ORDER\n"
                    "  migrate preflight            what is there, and is it enough?\n"
                    "  migrate migrate-embeddings   copy; may be interrupted and run again at any time\n"
                    "  migrate validate             are both stores equal?\n"
                    "  migrate migrate-agentdb      the learning state: Redis to PostgreSQL\n"
                    "\n'migrate COMMAND --help' tells more.\n\n{}",
                    kExitCodesHelp));
    app_.get_formatter()->column_width(36);
    app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
    commands_.push_back(make_preflight(app_));
    commands_.push_back(make_migrate_embeddings(app_));
    commands_.push_back(make_validate(app_));
    commands_.push_back(make_monitor(app_));
    commands_.push_back(make_migrate_agentdb(app_));
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
    Parsed parsed;
    parsed.command = chosen;
    parsed.context.settings = load_settings(chosen->flags_.sources(environment));
    parsed.context.json = chosen->output_ == "json";
    return parsed;
}

}  // namespace crossover::cli
