#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace crossover {
namespace {

namespace fs = std::filesystem;

/// A process that sleeps until it is told to end.
class Sleeper {
  public:
    Sleeper() : pid_(::fork()) {
        if (pid_ == 0) {
            for (;;) ::pause();
        }
    }
    ~Sleeper() { end(); }
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
};

/// A /proc of our own.
struct Process : testing::Test {
    const fs::path proc = fs::path(testing::TempDir()) / ("proc" + std::to_string(::getpid()));
    Sleeper sleeper;
    ProcessIdentity alive = this_process();

    Process() {
        fs::create_directories(proc / "self/ns");
        fs::create_directories(proc / "sys/kernel/random");
        fs::create_symlink("pid:[4026531836]", proc / "self/ns/pid");
        std::ofstream(proc / "sys/kernel/random/boot_id") << "boot\n";
        alive.pid = sleeper.pid();
        alive.started = started(sleeper.pid());
    }
    ~Process() override { fs::remove_all(proc); }

    static std::string started(pid_t pid) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string field;
        for (int i = 0; i < 22; ++i) file >> field;
        return field;
    }
    ProcessIdentity as_seen_in_proc() const { return {"boot/pid:[4026531836]", sleeper.pid(), "77"}; }
};

TEST_F(Process, IsSeenDeadWhenItsIdIsFreeOrAnothers) {
    EXPECT_FALSE(is_seen_dead(this_process()));
    EXPECT_FALSE(is_seen_dead(alive));
    auto former = alive;
    former.started = "1";
    EXPECT_TRUE(is_seen_dead(former));
    sleeper.end();
    EXPECT_TRUE(is_seen_dead(alive));
}

TEST_F(Process, OneThatHidesItselfIsNotDead) {
    ASSERT_EQ(this_process(proc).machine, "boot/pid:[4026531836]");
    auto hidden = as_seen_in_proc();  // its folder is missing, as under hidepid=2
    EXPECT_FALSE(is_seen_dead(hidden, proc));
    fs::create_directories(proc / std::to_string(hidden.pid));
    std::ofstream(proc / std::to_string(hidden.pid) / "stat") << "1 (a b) c) S 1";
    EXPECT_FALSE(is_seen_dead(hidden, proc));
    sleeper.end();
    EXPECT_TRUE(is_seen_dead(hidden, proc));
}

TEST_F(Process, OneThatDoesNotKnowItsOwnBeginningIsNotDead) {
    alive.started.clear();
    EXPECT_FALSE(is_seen_dead(alive));
}

TEST_F(Process, OfAnUnknownMachineNobodyIsDead) {
    const auto process = as_seen_in_proc();
    sleeper.end();
    EXPECT_FALSE(is_seen_dead({"other/pid:[4026531836]", process.pid, "77"}, proc));
    fs::remove(proc / "sys/kernel/random/boot_id");
    EXPECT_EQ(this_process(proc).machine, "");
    for (const char* machine : {"", "/pid:[4026531836]", "boot/pid:[4026531836]"}) {
        EXPECT_FALSE(is_seen_dead({machine, process.pid, "77"}, proc)) << machine;
    }
}

}  // namespace
}  // namespace crossover
