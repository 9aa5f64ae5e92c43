#include "command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace crossover::cli {
namespace {

using testing::HasSubstr;

struct Outcome {
    std::string command;
    Context context;
};

Outcome parse(std::vector<const char*> words, std::map<std::string, std::string> environment = {}) {
    words.insert(words.begin(), "migrate");
    CommandLine line;
    auto parsed =
        line.parse(static_cast<int>(words.size()), words.data(), [&](const char* name) -> const char* {
            const auto found = environment.find(name);
            return found == environment.end() ? nullptr : found->second.c_str();
        });
    return {parsed.command == nullptr ? "" : parsed.command->app->get_name(), parsed.context};
}

std::string refusal(const std::vector<const char*>& words) {
    try {
        parse(words);
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        return error.what();
    }
    ADD_FAILURE() << "was accepted";
    return {};
}

TEST(CommandLine, ReadsFlagsOverEnvironment) {
    const auto outcome =
        parse({"migrate-embeddings", "--batch-size", "7", "--properties=title,year", "--dry-run", "--metric",
               "l2", "--output", "json", "--neo4j-uri", "bolt://flag"},
              {{"NEO4J_URI", "bolt://environment"}, {"NEO4J_PASSWORD", "secret"}});
    EXPECT_EQ(outcome.command, "migrate-embeddings");
    EXPECT_EQ(outcome.context.settings.batch_size, 7);
    EXPECT_EQ(outcome.context.settings.properties, (std::vector<std::string>{"title", "year"}));
    EXPECT_EQ(outcome.context.settings.metric, "L2");
    EXPECT_EQ(outcome.context.settings.neo4j_uri, "bolt://flag");
    EXPECT_EQ(outcome.context.settings.neo4j_password, "secret");
    EXPECT_TRUE(outcome.context.json);
}

TEST(CommandLine, AnUnknownFlagNamesTheNearest) {
    EXPECT_EQ(refusal({"migrate-embeddings", "--batchsize", "5"}),
              "migrate migrate-embeddings has no flag --batchsize. Did you mean --batch-size? See 'migrate "
              "migrate-embeddings --help'.");
    EXPECT_THAT(refusal({"validate", "--full-scna"}), HasSubstr("Did you mean --full-scan?"));
    EXPECT_THAT(refusal({"validate", "--sample-sise=5"}),
                HasSubstr("no flag --sample-sise. Did you mean --sample-size?"));
    EXPECT_THAT(refusal({"--verison"}), HasSubstr("Did you mean --version?"));
}

TEST(CommandLine, AnUnknownCommandNamesTheNearest) {
    EXPECT_THAT(refusal({"prefligth"}),
                HasSubstr("There is no command 'prefligth'. Did you mean preflight?"));
}

TEST(CommandLine, PasswordsAreNoFlags) {
    EXPECT_THAT(refusal({"preflight", "--neo4j-password", "x"}), HasSubstr("has no flag --neo4j-password"));
    EXPECT_THAT(refusal({"preflight", "--milvus-token", "x"}), HasSubstr("has no flag --milvus-token"));
}

TEST(CommandLine, ValuesOutOfRangeAreNamed) {
    EXPECT_EQ(refusal({"migrate-embeddings", "--hnsw-m", "65"}),
              "--hnsw-m must be a whole number from 4 to 64, not '65'.");
    EXPECT_EQ(refusal({"preflight", "--output", "xml"}), "--output must be text or json, not 'xml'.");
    EXPECT_THAT(refusal({"preflight", "stray"}), HasSubstr("does not take the argument 'stray'"));
}

TEST(CommandLine, HelpEndsWithTheExitCodes) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(parse({"migrate-embeddings", "--help"}).command, "");
    const auto text = testing::internal::GetCapturedStdout();
    EXPECT_THAT(text, HasSubstr(kExitCodesHelp));
    EXPECT_THAT(text, HasSubstr("EXAMPLES"));
    for (const auto* flag : {"--label",           "--id-property",     "--embedding-property",
                             "--properties",      "--collection",      "--metric",
                             "--dimension",       "--batch-size",      "--concurrency",
                             "--dry-run",         "--resume-from",     "--hnsw-m",
                             "--ef-construction", "--checkpoint-file", "--quarantine-file",
                             "--rate-limit",      "--metrics-address", "--force",
                             "--output",          "--config",          "--neo4j-uri",
                             "--neo4j-user",      "--neo4j-database",  "--milvus-uri",
                             "--milvus-database"}) {
        EXPECT_THAT(text, HasSubstr(flag));
    }
}

}  // namespace
}  // namespace crossover::cli
