#pragma once

#include <cstdint>
#include <string>

#include "bolt/value.h"

namespace crossover::bolt {

/// One server's place on the network.
struct Address {
    std::string host;  ///< name or IP address, IPv6 without brackets
    std::uint16_t port = 7687;
    friend auto operator<=>(const Address&, const Address&) = default;
};

/// "host:port"; IPv6 in brackets.
std::string to_string(const Address& address);
/// The reverse, as routing tables have it. Throws Error `protocol` where it can't be read.
Address parse_address(const std::string& text);

enum class Encryption {
    none,
    verified,        ///< `+s`: a trusted authority vouches for the server
    any_certificate  ///< `+ssc`: self-signed certificates pass
};

/// `bolt://`, `neo4j://`, each with `+s` or `+ssc`.
struct Uri {
    Address address;
    bool routing = false;  ///< `neo4j`: the server is asked which members of its cluster read and write
    Encryption encryption = Encryption::none;
    Map routing_context;  ///< of the query part, with "address" added; for `neo4j` only
    std::string text;     ///< as given
};

/// Throws Error(System::config, usage) that says what is wrong with it.
Uri parse_uri(const std::string& text);

}  // namespace crossover::bolt
