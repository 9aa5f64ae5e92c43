#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// The keys of the learning state in Redis, and the tables that their values go to.
namespace crossover::learning {

enum class Kind { experience, q_value, policy, agent };
inline constexpr std::array kKinds = {Kind::experience, Kind::q_value, Kind::policy, Kind::agent};

/// Of a kind, in an array with one place for each.
constexpr std::size_t index_of(Kind kind) {
    return static_cast<std::size_t>(kind);
}

/// "experience", "qvalue", "policy", "agent": as in Redis's keys.
std::string_view name_of(Kind kind);
/// "rl_experiences", …
std::string_view table_of(Kind kind);
/// "rl:experience:", …
std::string_view prefix_of(Kind kind);
/// Nothing for any other key. `prefix` is what the user's keys have before "rl:".
std::optional<Kind> kind_of_key(std::string_view key, std::string_view prefix = {});

/// Where one of the four beginnings stands in a key, behind whatever prefix.
struct KindAt {
    Kind kind = Kind::experience;
    std::size_t at = 0;
};
std::optional<KindAt> find_kind(std::string_view key);

/// A key for the eye: UTF-8 stays, other bytes and control characters become \xNN.
std::string key_text(std::string_view key);

// -- what the stores say to each other, beside the state (docs/adr/0007) --

/// Which store takes writes.
inline constexpr std::string_view kPrimaryKey = "rl:control:primary";
/// Whose steps move it, so that those of a former attempt are refused.
inline constexpr std::string_view kMoverKey = "rl:control:mover";
/// The keys that Redis has newer than PostgreSQL, for sure or maybe.
inline constexpr std::string_view kOwedKey = "rl:control:owed";
/// A token that engines in the mode `redis` set with each write, of which PostgreSQL hears only by a copy.
/// While it stands, no engine makes PostgreSQL the primary.
inline constexpr std::string_view kUncapturedKey = "rl:control:uncaptured";

}  // namespace crossover::learning
