#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis/reply.h"

/// What a Redis cluster says about itself. Nothing here does any I/O.
namespace crossover::redis {

inline constexpr std::size_t kSlots = 16'384;

/// The slot of a key: CRC16 of its hash tag (what stands between the first '{' and the next '}'), or of all
/// of it where there is none.
std::size_t key_slot(std::string_view key);

/// A node as CLUSTER NODES shows it. What it says of itself is so; of others it may be a little behind.
struct ClusterNode {
    std::string id;
    std::string ip;        ///< empty where a node doesn't know its own: it is the one that was asked
    std::string hostname;  ///< empty where none is announced
    int port = 0;
    bool master = false;
    bool myself = false;
    bool failed = false;  ///< down or without an address, as seen by the node that was asked
    std::uint64_t config_epoch = 0;
    std::vector<std::pair<std::size_t, std::size_t>> slots;  ///< ranges, both ends included
    /// On `myself` only: slots whose keys are on the move, from it or to it.
    std::vector<std::size_t> migrating, importing;
};

/// Nothing where the text is malformed.
std::optional<std::vector<ClusterNode>> parse_cluster_nodes(std::string_view text);

/// "MOVED 3999 127.0.0.1:6381" or "ASK …": the slot is, or is on its way, there.
struct Redirection {
    bool ask = false;  ///< for this command only
    std::size_t slot = 0;
    std::string host;  ///< empty = that of the node that said so
    int port = 0;
};
/// Nothing where the reply is anything else.
std::optional<Redirection> parse_redirection(const Reply& reply);

}  // namespace crossover::redis
