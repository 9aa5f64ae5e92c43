#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace crossover::http {

/// Where a server listens.
struct ListenAddress {
    std::string host;        ///< a name or an address, without the brackets of IPv6
    std::uint16_t port = 0;  ///< 0 is any free port
};

/// Reads "host:port" or "[::1]:port". Throws Error(config, usage).
ListenAddress parse_listen_address(std::string_view text);

}  // namespace crossover::http
