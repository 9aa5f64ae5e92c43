#include "settings/setting_flags.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

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

const char* const kSettingsHelp =
    "PASSWORDS are read from the environment (NEO4J_PASSWORD, MILVUS_TOKEN) or the configuration file, "
    "never\n"
    "from flags. A flag beats the environment, which beats the file (--config, CONFIG_PATH, or\n"
    "/etc/recommendation-engine/config.yaml).";

namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

std::vector<std::string> long_flags(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
}

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
    const auto guess = nearest(word, known);
    return guess ? fmt::format(" Did you mean {}?", *guess) : std::string();
}

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

void SettingFlags::add(CLI::App& app, const std::string& heading,
                       std::initializer_list<std::string_view> paths) {
    for (const auto path : paths) {
        const auto& key = setting_key(path);
        auto& value = values_.emplace_back();
        auto help = std::string(key.help);
        if (!key.environment.empty()) help += fmt::format(" ({})", key.environment);
        auto* option = app.add_option(std::string(key.flag), value, help)
                           ->type_name(std::string(key.placeholder))
                           ->take_last()
                           ->group(heading);
        const auto shown = default_text(key);
        if (!shown.empty()) option->default_str(shown);
        flags_.push_back({&key, option});
    }
}

void SettingFlags::add_config_file(CLI::App& app, const std::string& heading) {
    app.add_option("--config", config_file_, "YAML file with any of these settings")
        ->type_name("FILE")
        ->group(heading);
}

SettingSources SettingFlags::sources(const std::function<const char*(const char*)>& environment) const {
    SettingSources sources;
    sources.environment = environment;
    if (!config_file_.empty()) sources.config_file = config_file_;
    for (const auto& flag : flags_) {
        if (flag.option->count() > 0) sources.flags.emplace_back(flag.key, flag.option->results().back());
    }
    return sources;
}

}  // namespace crossover::cli
