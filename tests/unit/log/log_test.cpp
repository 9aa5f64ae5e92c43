#include "log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

namespace crossover {
namespace {

class Logging : public testing::Test {
  protected:
    Logging() {
        set_log_writer([this](std::string_view line) { lines_.emplace_back(line); });
    }
    ~Logging() override {
        set_log_writer({});
        configure_logging(LogFormat::text, LogLevel::info);
    }

    std::vector<std::string> lines_;
};

TEST_F(Logging, TextIsOneLineOfKeysAndValues) {
    configure_logging(LogFormat::text, LogLevel::info);
    log_event(LogLevel::warning, "milvus_error",
              {{"server", "Milvus at host:1"}, {"attempt", 3}, {"fatal", false}, {"text", "a\n\"b\""}});
    ASSERT_EQ(lines_.size(), 1U);
    EXPECT_THAT(lines_[0], testing::MatchesRegex("time=[0-9]+-[0-9]+-[0-9]+T[0-9:.]+Z level=warning "
                                                 "event=milvus_error server=\"Milvus at host:1\" attempt=3 "
                                                 "fatal=false text=\"a\\\\n\\\\\"b\\\\\"\"\n"));
}

TEST_F(Logging, JsonIsOneObjectALine) {
    configure_logging(LogFormat::json, LogLevel::info);
    log_event(LogLevel::error, "dual_write",
              {{"id", "caf\xc3\xa9\n\xff"}, {"seconds", 0.5}, {"rate", NAN}, {"ok", true}});
    ASSERT_EQ(lines_.size(), 1U);
    const auto object = nlohmann::json::parse(lines_[0]);
    EXPECT_EQ(object["event"], "dual_write");
    EXPECT_EQ(object["level"], "error");
    EXPECT_EQ(object["id"], "caf\xc3\xa9\n\xef\xbf\xbd");
    EXPECT_EQ(object["seconds"], 0.5);
    EXPECT_TRUE(object["rate"].is_null());
    EXPECT_EQ(object["ok"], true);
}

TEST_F(Logging, DropsWhatIsBelowTheLevel) {
    configure_logging(LogFormat::text, LogLevel::warning);
    log_event(LogLevel::info, "progress");
    EXPECT_TRUE(lines_.empty());
}

TEST_F(Logging, AnOpenSecretIsWarnedOfOnce) {
    for (int i = 0; i < 3; ++i) {
        warn_of_open_secret("Redis", "10.0.0.7", "redis://10.0.0.7:6379/0", "use rediss://");
        warn_of_open_secret("Redis", "127.0.0.1", "redis://127.0.0.1:6379/0", "use rediss://");
        for (const char* socket : {"", "/run/postgresql", "@abstract"})
            warn_of_open_secret("PostgreSQL", socket, "postgresql:///agentdb", "add sslmode=require");
    }
    EXPECT_THAT(lines_,
                testing::ElementsAre(testing::HasSubstr(
                    R"(level=warning event=open_secret server=Redis address=redis://10.0.0.7:6379/0)")));
}

}  // namespace
}  // namespace crossover
