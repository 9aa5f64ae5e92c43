#pragma once

#include <array>
#include <string_view>

namespace crossover::http {

/// The secret that requests must bring. Immutable, so thread-safe. Keeps a digest only.
class BearerToken {
  public:
    explicit BearerToken(std::string_view token);

    /// Whether this Authorization header is "Bearer" and the token. Takes the same time for any wrong token
    /// of one length.
    bool matches(std::string_view authorization) const;

  private:
    std::array<unsigned char, 32> digest_;
};

}  // namespace crossover::http
