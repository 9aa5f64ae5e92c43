#include "bolt/uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url.hpp>
#include <charconv>
#include <optional>

#include "base/address.h"
#include "base/error.h"

namespace crossover::bolt {

namespace {

constexpr std::uint16_t kDefaultPort = 7687;

/// Bolt's own port where none is named; empty where it is no port.
std::optional<std::uint16_t> port_of(const boost::urls::url_view& url) {
    const std::string text(url.port());
    if (text.empty()) return kDefaultPort;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

}  // namespace

std::string to_string(const Address& address) {
    const bool ipv6 = address.host.find(':') != std::string::npos;
    return ipv6 ? fmt::format("[{}]:{}", address.host, address.port)
                : fmt::format("{}:{}", address.host, address.port);
}

Address parse_address(const std::string& text) {
    const std::string authority = "//" + text;  // the parsed parts point into it
    const auto parsed = boost::urls::parse_uri_reference(authority);
    const auto port = parsed ? port_of(*parsed) : std::nullopt;
    if (!port || parsed->host_address().empty()) {
        throw Error(System::neo4j, ErrorKind::protocol,
                    fmt::format("Neo4j named a server by '{}', which is no address.", text));
    }
    return {parsed->host_address(), *port};
}

namespace {

/// Not by Boost's own range of parameters: that of 1.81 reads beyond the end of some queries.
void add_parameters(std::string_view query, Map& context) {
    const auto decoded = [](std::string_view part) { return boost::urls::pct_string_view(part).decode(); };
    while (!query.empty()) {
        const auto parameter = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), parameter.size() + 1));
        const auto key = parameter.substr(0, parameter.find('='));
        const auto value = parameter.substr(std::min(parameter.size(), key.size() + 1));
        if (!key.empty()) context.set(decoded(key), decoded(value));
    }
}

}  // namespace

Uri parse_uri(const std::string& text) {
    const auto refuse = [&](const std::string& why) {
        return Error(System::config, ErrorKind::usage,
                     fmt::format("{} is no Neo4j URI: {}. Write it like bolt://host:7687 or neo4j+s://host.",
                                 shown_address(text), why));
    };
    const auto parsed = boost::urls::parse_uri(text);
    if (!parsed) throw refuse("it cannot be parsed");
    const boost::urls::url_view url = *parsed;
    Uri uri;
    uri.text = text;
    const std::string scheme(url.scheme());
    if (scheme == "neo4j" || scheme == "neo4j+s" || scheme == "neo4j+ssc") {
        uri.routing = true;
    } else if (scheme != "bolt" && scheme != "bolt+s" && scheme != "bolt+ssc") {
        throw refuse("its scheme is not bolt or neo4j (with +s or +ssc for TLS)");
    }
    if (scheme.ends_with("+s")) uri.encryption = Encryption::verified;
    if (scheme.ends_with("+ssc")) uri.encryption = Encryption::any_certificate;
    if (url.has_userinfo())
        throw refuse("user and password do not belong in it, but in NEO4J_USER and NEO4J_PASSWORD");
    uri.address.host = url.host_address();
    if (uri.address.host.empty()) throw refuse("it names no host");
    const auto port = port_of(url);
    if (!port) throw refuse("its port is no number from 1 to 65535");
    uri.address.port = *port;
    const std::string path(url.path());
    if (!path.empty() && path != "/") throw refuse("it has a path; the database is named by NEO4J_DATABASE");
    if (uri.routing) {
        uri.routing_context.set("address", to_string(uri.address));
        add_parameters(url.encoded_query(), uri.routing_context);
    } else if (url.has_query() && !url.query().empty()) {
        throw refuse("only neo4j:// takes parameters");
    }
    return uri;
}

}  // namespace crossover::bolt
