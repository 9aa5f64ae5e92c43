#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/retry.h"
#include "redis/keyspace.h"

namespace crossover::redis {

/// A pattern for SCAN that matches just the keys that begin with these bytes.
std::string glob_of_prefix(std::string_view prefix);

/// Walks over all keys that match a pattern of SCAN. Every key that is there from the first call to the end
/// is shown at least once; one that comes or goes meanwhile may be. Any key may be shown more than once.
///
/// A cursor means something to one run of one server. Where the connection was lost, that server is walked
/// over again from its beginning: behind the same address there may be a restarted one, or a promoted
/// replica.
///
/// In a cluster slots may move from a master not yet walked over to one that is done. So a slot counts as
/// seen when its master, asked itself before and after its walk, owned it both times under the same
/// configuration epoch and had no move of it open: then all of its keys were there all the while. What does
/// not count is walked over again where it then is, and of that only keys of the slots still missing are
/// shown; when several rounds, and `give_up_after`, have brought no slot, it gives up with `not_ready`. (A
/// move that was begun and wholly taken back within one walk is not seen; Redis leaves no trace of that.)
class KeyScan {
  public:
    /// `page` is about how many keys a server looks at in one call.
    KeyScan(Keyspace& keyspace, std::string pattern, std::size_t page = 1'000,
            std::chrono::milliseconds give_up_after = std::chrono::minutes(2));

    /// Fills in the next keys, which may be none. False at the end. After any error it may be called again.
    bool next(std::vector<std::string>& keys, Deadline deadline);

    /// Slots for which it waits: the last walk over where they are brought none of them. 0 = it does not
    /// wait.
    std::size_t slots_on_the_move() const { return fruitless_ > 0 ? kSlots - seen_.count() : 0; }

  private:
    bool begin_walk(Deadline deadline);
    bool begin_round(Deadline deadline);
    void read_page(std::vector<std::string>& keys, Deadline deadline);
    void end_walk(Deadline deadline);
    void count_slots(const ClusterNode& before, const ClusterNode& after);
    ClusterNode look(Deadline deadline);
    Error on_the_move() const;

    Keyspace& keyspace_;
    const std::string pattern_;
    const std::string page_;
    const std::chrono::milliseconds give_up_after_;
    std::bitset<kSlots> seen_;
    bool finished_ = false;

    std::vector<std::size_t> round_;  ///< nodes that are still to be walked over
    int fruitless_ = 0;               ///< rounds in a row that brought no slot
    std::chrono::steady_clock::time_point last_fruit_{};
    std::size_t seen_before_ = 0;  ///< slots, when the round began
    bool round_begun_ = false;
    Backoff backoff_{std::chrono::milliseconds(50), std::chrono::seconds(1)};

    bool walking_ = false;
    std::size_t node_ = 0;
    std::uint64_t serial_ = 0;
    std::string cursor_;
    ClusterNode before_;  ///< what the node said of itself when its walk began
};

}  // namespace crossover::redis
