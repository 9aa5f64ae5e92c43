#include "http/bearer_token.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

#include <algorithm>

namespace crossover::http {
namespace {

using Digest = std::array<unsigned char, 32>;

/// Digests have one length, so that comparing them does not tell that of the token.
Digest digest_of(std::string_view text) {
    static_assert(std::tuple_size_v<Digest> == SHA256_DIGEST_LENGTH);
    Digest digest;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return digest;
}

}  // namespace

BearerToken::BearerToken(std::string_view token) : digest_(digest_of(token)) {}

bool BearerToken::matches(std::string_view authorization) const {
    constexpr std::string_view kScheme = "Bearer ";
    if (authorization.size() < kScheme.size() ||
        strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0) {
        return false;
    }
    authorization.remove_prefix(
        std::min(authorization.find_first_not_of(' ', kScheme.size()), authorization.size()));
    const Digest given = digest_of(authorization);
    return CRYPTO_memcmp(given.data(), digest_.data(), digest_.size()) == 0;
}

}  // namespace crossover::http
