#include "milvus/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace crossover::milvus {
namespace {

[[noreturn]] void refuse(std::string_view what) {
    throw Error(
        System::milvus, ErrorKind::usage,
        fmt::format("The Milvus URI {}. Give it as http://host:port, or https://host:port for TLS.", what));
}

}  // namespace

std::string Endpoint::authority() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

Endpoint parse_endpoint(std::string_view uri) {
    Endpoint endpoint;
    if (const auto scheme_end = uri.find("://"); scheme_end != std::string_view::npos) {
        const auto scheme = uri.substr(0, scheme_end);
        if (scheme == "https") {
            endpoint.tls = true;
        } else if (scheme != "http") {
            refuse("has a scheme other than http and https");
        }
        uri.remove_prefix(scheme_end + 3);
    }
    if (uri.find('@') != std::string_view::npos) {
        refuse("holds a user or password, which belong in the token ('user:password')");
    }
    if (uri.ends_with('/')) uri.remove_suffix(1);
    if (uri.find_first_of("/?#") != std::string_view::npos) {
        refuse("has a path; the database is a setting of its own");
    }
    std::string_view port;
    bool port_given = false;
    if (uri.starts_with('[')) {
        const auto close = uri.find(']');
        if (close == std::string_view::npos) refuse("has '[' without ']'");
        endpoint.host = uri.substr(1, close - 1);
        const auto rest = uri.substr(close + 1);
        port_given = !rest.empty();
        if (port_given && rest.front() != ':') refuse("has something other than a port after ']'");
        if (port_given) port = rest.substr(1);
    } else {
        const auto colon = uri.find(':');
        if (colon != uri.rfind(':')) refuse("has an IPv6 address without brackets, or two ports");
        endpoint.host = uri.substr(0, colon);
        port_given = colon != std::string_view::npos;
        if (port_given) port = uri.substr(colon + 1);
    }
    if (endpoint.host.empty()) refuse("names no host");
    if (std::any_of(endpoint.host.begin(), endpoint.host.end(),
                    [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '='; })) {
        refuse("has a blank, a control character or '=' in its host");
    }
    if (!port_given) {
        endpoint.port = endpoint.tls ? 443 : 19530;
        return endpoint;
    }
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) {
        refuse("has a port that is not a number from 1 to 65535");
    }
    return endpoint;
}

}  // namespace crossover::milvus
