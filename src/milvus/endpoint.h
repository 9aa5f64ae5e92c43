#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace crossover::milvus {

/// Where a Milvus listens.
struct Endpoint {
    std::string host;  ///< without the brackets of an IPv6 address
    std::uint16_t port = 0;
    bool tls = false;

    /// "host:port", "[::1]:port"
    std::string authority() const;
};

/// Reads http(s)://host[:port] or host[:port]; the port is 19530, or 443 for https. Throws Error(usage),
/// which does not repeat a URI that might hold a password.
Endpoint parse_endpoint(std::string_view uri);

}  // namespace crossover::milvus
