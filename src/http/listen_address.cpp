#include "http/listen_address.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"

namespace crossover::http {

ListenAddress parse_listen_address(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        throw Error(System::config, ErrorKind::usage,
                    fmt::format("The listen address '{}' {}. Give it as host:port, such as 127.0.0.1:8080.",
                                text, why));
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) refuse("has no port");
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find_first_of(":[]") != std::string_view::npos) {
        refuse("has an IPv6 address without brackets around it, or no port behind them");
    }
    if (host.empty()) refuse("names no host");

    ListenAddress address;
    address.host = host;
    const char* end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, address.port);
    if (error != std::errc() || stop != end) refuse("has a port that is not a number from 0 to 65535");
    return address;
}

}  // namespace crossover::http
