#include "learning/copy/quarantine.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace crossover::learning {
namespace {

class QuarantineTest : public testing::Test {
  protected:
    QuarantineTest() {
        char folder[] = "/tmp/quarantine-XXXXXX";
        folder_ = mkdtemp(folder);
        path_ = folder_ / "q.ndjson";
    }
    ~QuarantineTest() override { std::filesystem::remove_all(folder_); }

    std::string content() const {
        std::ifstream file(path_);
        std::stringstream all;
        all << file.rdbuf();
        return all.str();
    }
    static Source bad(std::string key) {
        Source source;
        source.key = std::move(key);
        source.kind = Kind::policy;
        source.type = Source::Type::text;
        source.text = std::string("\0\xFF\x10g", 4);
        return source;
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
    }

    std::filesystem::path folder_, path_;
};

TEST_F(QuarantineTest, OneLineAKeyInPlaceWhenTheLookIsComplete) {
    Quarantine quarantine(path_);
    quarantine.begin_look();
    quarantine.add(bad("rl:policy:\xFF\""), "why \"so\"");
    quarantine.add(bad("rl:policy:\xFF\""), "again");
    EXPECT_FALSE(std::filesystem::exists(path_));
    quarantine.finish_look();
    EXPECT_EQ(
        content(),
        "{\"key\":\"rl:policy:\\\\xff\\\"\",\"key_hex\":\"726c3a706f6c6963793aff22\",\"kind\":\"policy\","
        "\"reason\":\"why \\\"so\\\"\",\"type\":\"string\",\"bytes\":4,\"value_base64\":\"AP8QZw==\","
        "\"truncated\":false}\n");
    EXPECT_EQ(quarantine.count(Kind::policy), 1);
    quarantine.begin_look();
    EXPECT_EQ(quarantine.count(Kind::policy), 0);
    quarantine.finish_look();
    EXPECT_EQ(content(), "");
    EXPECT_EQ(files(), 1U);
}

TEST_F(QuarantineTest, NoFileForNothing) {
    {
        Quarantine empty(path_);
        empty.begin_look();
        empty.finish_look();
    }
    EXPECT_EQ(files(), 0U);
    {
        Quarantine unfinished(path_);
        unfinished.begin_look();
        unfinished.add(bad("rl:policy:1"), "why");
    }
    EXPECT_EQ(files(), 0U);
}

TEST_F(QuarantineTest, AKilledRunsPartIsTakenOverAndALivingOnesIsNot) {
    std::ofstream(path_.string() + ".partial") << "of a run that was killed";
    Quarantine ours(path_);
    ours.begin_look();
    ours.add(bad("rl:policy:1"), "why");
    Quarantine other(path_);
    EXPECT_THROW(other.begin_look(), Error);
    ours.finish_look();
    EXPECT_EQ(content().substr(0, 21), "{\"key\":\"rl:policy:1\",");
    other.begin_look();
    other.finish_look();
    EXPECT_EQ(content(), "");
    EXPECT_EQ(files(), 1U);
}

TEST_F(QuarantineTest, ADeviceStaysOneAndALinkIsRefused) {
    {
        Quarantine device("/dev/null");
        device.begin_look();
        device.add(bad("rl:policy:1"), "why");
        device.finish_look();
    }
    struct stat found {};
    ASSERT_EQ(stat("/dev/null", &found), 0);
    EXPECT_TRUE(S_ISCHR(found.st_mode));
    std::ofstream(folder_ / "real") << "x";
    std::filesystem::create_symlink(folder_ / "real", path_);
    EXPECT_THROW(Quarantine{path_}, Error);
}

}  // namespace
}  // namespace crossover::learning
