#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bolt/value.h"

namespace crossover::bolt {

/// A Bolt version; ordered.
struct Version {
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    friend auto operator<=>(const Version&, const Version&) = default;
};

inline constexpr Version kOldestVersion{5, 0};
inline constexpr Version kNewestVersion{6, 0};

std::string to_string(Version version);
/// The versions this client speaks: 5.0 to 5.8 and 6.0.
bool is_supported(Version version);

/// Negotiates the version, without I/O: send greeting(), feed what arrives, send reply() when done.
/// Offers the manifest (version 1) and, for servers that do not know it, 6.0 and the range 5.0 to 5.8 in the
/// legacy way (github.com/neo4j/docs-bolt, "Handshake").
class Handshake {
  public:
    enum class State {
        need_more,
        done,
        no_common_version,
        not_bolt,  ///< the peer answered something else; `peer` says what
        malformed
    };

    /// What kind of server answers, if not Bolt.
    enum class Peer { unknown, http, tls };

    static std::span<const std::byte> greeting();

    /// Takes bytes as they come, one at a time or many; tells how many it took in `used`: what is beyond
    /// belongs to the protocol. After a state other than need_more nothing more is taken.
    State feed(std::span<const std::byte> bytes, std::size_t& used);
    State state() const { return state_; }
    Version version() const { return version_; }
    /// To be sent before anything else, once done; empty after a legacy negotiation.
    const Bytes& reply() const { return reply_; }
    Peer peer() const { return peer_; }

  private:
    enum class Step { first_word, range_count, range, capabilities };
    void take(std::uint8_t byte);
    void take_word();
    bool take_varint(std::uint8_t byte);
    void finish_manifest();

    State state_ = State::need_more;
    Step step_ = Step::first_word;
    std::uint8_t word_[4] = {};
    std::size_t word_size_ = 0;
    std::uint64_t varint_ = 0;
    int varint_shift_ = 0;
    std::uint64_t ranges_left_ = 0;
    std::optional<Version> best_;
    Version version_;
    Bytes reply_;
    Peer peer_ = Peer::unknown;
};

}  // namespace crossover::bolt
