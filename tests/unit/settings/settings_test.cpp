#include "settings/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"

namespace crossover {
namespace {

using testing::HasSubstr;
using testing::Not;

class Config : public testing::Test {
  protected:
    Config() {
        std::filesystem::create_directory(folder_);
        sources_.environment = [this](const char* name) -> const char* {
            const auto found = environment_.find(name);
            return found == environment_.end() ? nullptr : found->second.c_str();
        };
        sources_.default_file = folder_ / "default.yaml";
    }
    ~Config() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name) << content;
        return folder_ / name;
    }

    std::string refusal(const std::string& yaml) {
        sources_.config_file = file("bad.yaml", yaml);
        return refusal();
    }
    std::string refusal() {
        try {
            load_settings(sources_);
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            EXPECT_EQ(error.system(), System::config);
            return error.what();
        }
        ADD_FAILURE() << "was accepted";
        return {};
    }

    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("crossover_config_" + std::to_string(getpid()));
    std::map<std::string, std::string> environment_;
    SettingSources sources_;
};

TEST_F(Config, DefaultsWhereNothingIsSaid) {
    const auto settings = load_settings(sources_);
    EXPECT_EQ(settings.label, "MediaContent");
    EXPECT_EQ(settings.properties, (std::vector<std::string>{"title", "genre", "year"}));
    EXPECT_EQ(settings.batch_size, 1000);
    EXPECT_EQ(settings.milvus_uri, "");
}

TEST_F(Config, FlagBeatsEnvironmentBeatsFile) {
    sources_.config_file = file("c.yaml", "neo4j:\n  uri: bolt://file\n  user: file\n  database: file\n");
    environment_ = {{"NEO4J_URI", "bolt://environment"}, {"NEO4J_USER", "environment"}};
    sources_.flags = {{&setting_key("neo4j.uri"), "bolt://flag"}};
    const auto settings = load_settings(sources_);
    EXPECT_EQ(settings.neo4j_uri, "bolt://flag");
    EXPECT_EQ(settings.neo4j_user, "environment");
    EXPECT_EQ(settings.neo4j_database, "file");
}

TEST_F(Config, FileByFlagThenByVariableThenTheDefaultOne) {
    file("default.yaml", "media: {label: Default}");
    EXPECT_EQ(load_settings(sources_).label, "Default");
    environment_["CONFIG_PATH"] = file("v.yaml", "media: {label: Variable}");
    EXPECT_EQ(load_settings(sources_).label, "Variable");
    sources_.config_file = file("f.yaml", "media: {label: Flag}");
    EXPECT_EQ(load_settings(sources_).label, "Flag");
}

TEST_F(Config, AnEmptyVariableCountsAsNotSet) {
    environment_["NEO4J_USER"] = "";
    EXPECT_EQ(load_settings(sources_).neo4j_user, "neo4j");
}

TEST_F(Config, ReadsEveryTypeFromTheFile) {
    sources_.config_file = file("c.yaml",
                                "media:\n  properties: [title, year]\n  metric: cosine\n"
                                "migration:\n  rate_limit: 0.5\n  batch_size: 7\n");
    const auto settings = load_settings(sources_);
    EXPECT_EQ(settings.properties, (std::vector<std::string>{"title", "year"}));
    EXPECT_EQ(settings.metric, "COSINE");
    EXPECT_EQ(settings.rate_limit, 0.5);
    EXPECT_EQ(settings.batch_size, 7);
}

TEST_F(Config, UnknownKeysNameTheNearest) {
    EXPECT_THAT(refusal("neo4j:\n  uri: bolt://x\n  databse: y\n"),
                testing::AllOf(HasSubstr("bad.yaml line 3"), HasSubstr("unknown key 'neo4j.databse'"),
                               HasSubstr("Did you mean 'neo4j.database'?")));
    EXPECT_THAT(refusal("mlivus:\n  uri: x\n"),
                HasSubstr("unknown section 'mlivus'. Did you mean 'milvus'?"));
}

TEST_F(Config, WrongTypesSayKeyLineAndWhatWasExpected) {
    EXPECT_THAT(
        refusal("migration:\n\n  batch_size: many\n"),
        HasSubstr(
            "bad.yaml line 3: migration.batch_size must be a whole number from 1 to 1000000, not 'many'"));
    EXPECT_THAT(refusal("migration:\n  hnsw_m: 65\n"), HasSubstr("from 4 to 64, not '65'"));
    EXPECT_THAT(refusal("migration:\n  rate_limit: nan\n"), HasSubstr("must be a number from 0"));
    EXPECT_THAT(refusal("media:\n  label: [a]\n"),
                HasSubstr("line 2: media.label must be a text, not a list"));
    EXPECT_THAT(refusal("media:\n  properties: {a: b}\n"), HasSubstr("must be a list of names, not a map"));
    EXPECT_THAT(refusal("media:\n  metric: HAMMING\n"), HasSubstr("one of COSINE, IP, L2, not 'HAMMING'"));
    EXPECT_THAT(refusal("media:\n  properties: [a, b, a]\n"), HasSubstr("names 'a' twice"));
    EXPECT_THAT(refusal("neo4j: bolt\n"), HasSubstr("line 1: 'neo4j' must be a section"));
    EXPECT_THAT(refusal("neo4j: [\n"), HasSubstr("is no valid YAML"));
    EXPECT_THAT(refusal("- a\n"), HasSubstr("expected sections"));
}

TEST_F(Config, FlagsAndVariablesAreNamedInErrors) {
    sources_.flags = {{&setting_key("migration.batch_size"), "0"}};
    EXPECT_EQ(refusal(), "--batch-size must be a whole number from 1 to 1000000, not '0'.");
}

TEST_F(Config, AMissingFileIsAnErrorOnlyWhenItWasNamed) {
    EXPECT_NO_THROW(load_settings(sources_));
    sources_.config_file = folder_ / "absent.yaml";
    EXPECT_THAT(refusal(), HasSubstr("absent.yaml can't be read"));
}

TEST_F(Config, SecretsHaveNoFlag) {
    for (const auto* path : {"neo4j.password", "milvus.token", "postgres.url", "redis.url"}) {
        EXPECT_EQ(setting_key(path).flag, "") << path;
    }
}

TEST_F(Config, ASectionWithinASection) {
    sources_.config_file = file(
        "fields.yaml", "agentdb: {mode: dual, key_prefix: 'app:', fields: {q_value: q, agent_id: who}}\n");
    const auto settings = load_settings(sources_);
    EXPECT_EQ(settings.q_value_field, "q");
    EXPECT_EQ(settings.agent_id_field, "who");
    EXPECT_EQ(settings.reward_field, "reward");
    EXPECT_EQ(settings.agentdb_key_prefix, "app:");
    EXPECT_EQ(settings.agentdb_mode, "dual");
    EXPECT_EQ(settings.origins.at("agentdb.fields.q_value"),
              sources_.config_file.value() + " line 1: agentdb.fields.q_value");
    EXPECT_THAT(refusal("agentdb: {fields: {qvalue: q}}\n"),
                HasSubstr("Did you mean 'agentdb.fields.q_value'?"));
    EXPECT_THAT(refusal("agentdb: {fields: q}\n"), HasSubstr("unknown key 'agentdb.fields'"));
}

}  // namespace
}  // namespace crossover
