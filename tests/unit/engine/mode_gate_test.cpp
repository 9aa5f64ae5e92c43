#include "engine/mode_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <vector>

namespace crossover::engine {
namespace {

using std::chrono_literals::operator""ms;

TEST(ModeGate, ARequestKeepsItsModeAndTheNextHasTheNewOne) {
    ModeGate gate(StorageMode::neo4j_only);
    std::optional<ModeGate::Passage> first(gate.enter());
    auto turned = std::async(std::launch::async, [&] { gate.turn(StorageMode::dual_write); });
    while (gate.mode() != StorageMode::dual_write) std::this_thread::yield();

    EXPECT_EQ(first->mode(), StorageMode::neo4j_only);
    {
        const auto second = gate.enter();
        EXPECT_EQ(second.mode(), StorageMode::dual_write);
        EXPECT_EQ(turned.wait_for(50ms), std::future_status::timeout) << "the first request has not ended";
    }
    first.reset();
    turned.get();
}

TEST(ModeGate, ATurnWaitsForNobodyWhereAllAreInTheModeAlready) {
    ModeGate gate(StorageMode::hybrid);
    const auto passage = gate.enter();
    gate.turn(StorageMode::hybrid);
    EXPECT_EQ(passage.mode(), StorageMode::hybrid);
}

TEST(ModeGate, NoRequestOfAFormerModeIsLeftWhenATurnReturns) {
    ModeGate gate(StorageMode::neo4j_only);
    std::array<std::atomic<int>, kStorageModes> inside{};
    std::vector<std::jthread> requests;
    for (int i = 0; i < 4; ++i) {
        requests.emplace_back([&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                const auto passage = gate.enter();
                auto& mine = inside[static_cast<std::size_t>(passage.mode())];
                ++mine;
                std::this_thread::yield();
                --mine;
            }
        });
    }
    for (int turn = 1; turn <= 200; ++turn) {
        const auto mode = static_cast<StorageMode>(turn % kStorageModes);
        gate.turn(mode);
        for (int other = 0; other < kStorageModes; ++other) {
            if (other == turn % kStorageModes) continue;
            ASSERT_EQ(inside[static_cast<std::size_t>(other)], 0) << turn;
        }
    }
}

TEST(StorageMode, NamesAreReadBack) {
    for (int i = 0; i < kStorageModes; ++i) {
        const auto mode = static_cast<StorageMode>(i);
        EXPECT_EQ(parse_storage_mode(to_string(mode)), mode);
    }
    EXPECT_EQ(to_string(StorageMode::shadow_milvus), "shadow_milvus");
    EXPECT_EQ(parse_storage_mode("Hybrid"), std::nullopt);
    EXPECT_EQ(parse_storage_mode(""), std::nullopt);
}

}  // namespace
}  // namespace crossover::engine
