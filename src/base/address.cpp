#include "base/address.h"

#include <algorithm>
#include <array>
#include <vector>

namespace crossover {

namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

bool is_letter(char c) {
    return kLetters.find(c) != std::string_view::npos;
}
bool is_digit(char c) {
    return kDigits.find(c) != std::string_view::npos;
}
bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
/// Of letters, digits and `others`.
bool is_plain(std::string_view text, std::string_view others) {
    return std::ranges::all_of(text, [&](char c) {
        return is_letter(c) || is_digit(c) || others.find(c) != std::string_view::npos;
    });
}
bool is_name(std::string_view text) {
    return is_plain(text, "._-");
}
bool is_port(std::string_view text) {
    return text.size() <= 5 && std::ranges::all_of(text, is_digit);
}
bool contains(std::string_view text, char c) {
    return text.find(c) != std::string_view::npos;
}

struct Address {
    std::string hosts;  ///< with ports, as a URI has them
    std::string database;
};

/// "host", "host:port", "[::1]:port"
bool is_host_and_port(std::string_view text) {
    std::string_view rest;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos || close < 3) return false;
        const auto host = text.substr(1, close - 1);
        if (!is_plain(host, ":.") || !contains(host, ':')) return false;
        rest = text.substr(close + 1);
    } else {
        const auto colon = std::min(text.find(':'), text.size());
        if (!is_name(text.substr(0, colon))) return false;
        rest = text.substr(colon);
    }
    return rest.empty() || (rest.size() > 1 && rest.front() == ':' && is_port(rest.substr(1)));
}

bool are_hosts_and_ports(std::string_view text) {
    for (;;) {
        const auto comma = std::min(text.find(','), text.size());
        if (!is_host_and_port(text.substr(0, comma))) return false;
        if (comma == text.size()) return true;
        text.remove_prefix(comma + 1);
    }
}

/// What libpq's keywords name, as far as they are given; an empty value means libpq's default.
struct Keywords {
    std::optional<std::string> host, hostaddr, port, database;

    bool name_a_server() const { return host || hostaddr || port; }

    /// False where the value is none that can be shown.
    bool set(std::string_view keyword, std::string_view value) {
        const auto take = [&](std::optional<std::string>& into, std::string_view others) {
            into = value;
            return is_plain(value, others);
        };
        if (keyword == "host") return take(host, "._-,/");
        if (keyword == "hostaddr") return take(hostaddr, ".:,");
        if (keyword == "port") return take(port, ",") && std::ranges::none_of(value, is_letter);
        if (keyword == "dbname") return take(database, "._-");
        return true;
    }
};

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<std::string> hosts_of(const Keywords& found) {
    const std::string host = found.host.value_or("").empty() ? found.hostaddr.value_or("") : *found.host;
    const std::string port_text = found.port.value_or("");
    const auto hosts = split(host, ',');
    const auto ports = split(port_text, ',');
    if (ports.size() != 1 && ports.size() != hosts.size()) return std::nullopt;
    std::string text;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        if (i > 0) text += ',';
        const bool ipv6 = contains(hosts[i], ':');
        if (ipv6) text += '[';
        for (const char c : hosts[i]) {
            if (c == '/') {
                text += "%2F";  // a socket's folder
            } else {
                text += c;
            }
        }
        if (ipv6) text += ']';
        const auto port = ports.size() == 1 ? ports[0] : ports[i];
        if (!is_port(port)) return std::nullopt;
        if (!port.empty()) text += ":" + std::string(port);
    }
    return text;
}

/// "host=… dbname='…'", by the rules of libpq's conninfo_parse.
std::optional<Address> from_keywords(std::string_view text) {
    Keywords found;
    std::size_t at = 0;
    const auto skip_blanks = [&] {
        while (at < text.size() && is_blank(text[at])) ++at;
    };
    for (skip_blanks(); at < text.size(); skip_blanks()) {
        const auto begin = at;
        while (at < text.size() && text[at] != '=' && !is_blank(text[at])) ++at;
        const auto keyword = text.substr(begin, at - begin);
        skip_blanks();
        if (at == text.size() || text[at] != '=' || !is_plain(keyword, "_")) return std::nullopt;
        ++at;
        skip_blanks();
        std::string value;
        const bool quoted = at < text.size() && text[at] == '\'';
        if (quoted) ++at;
        for (; at < text.size(); ++at) {
            if (quoted ? text[at] == '\'' : is_blank(text[at])) break;
            if (text[at] == '\\' && ++at == text.size()) break;
            value += text[at];
        }
        if (quoted) {
            if (at == text.size()) return std::nullopt;  // the quote is never closed
            if (++at < text.size() && !is_blank(text[at])) return std::nullopt;
        }
        if (!found.set(keyword, value)) return std::nullopt;
    }
    auto hosts = hosts_of(found);
    if (!hosts || !(found.name_a_server() || found.database)) return std::nullopt;
    return Address{*std::move(hosts), found.database.value_or("")};
}

/// Where the user and password of an authority end; npos where it is not clear.
std::size_t end_of_user(std::string_view rest, bool postgres) {
    const auto at = rest.find('@');
    if (at == std::string_view::npos) return 0;
    const auto user = rest.substr(0, at);
    if (contains(rest.substr(at + 1), '@')) return std::string_view::npos;
    constexpr std::string_view kOfAnyUri = "-._~%!$&'()*+,;=:";
    if (is_plain(user, kOfAnyUri)) return at + 1;
    // To libpq '?' and '#' mean nothing in a password; but they may begin parameters that hold an '@'.
    const auto colon = std::min(user.find(':'), user.size());
    const bool password = is_plain(user.substr(0, colon), kOfAnyUri) && !contains(user, '/') &&
                          !(contains(user, '?') && contains(user, '='));
    return postgres && password ? at + 1 : std::string_view::npos;
}

std::optional<Address> from_uri(std::string_view rest, bool postgres) {
    const auto user_end = end_of_user(rest, postgres);
    if (user_end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(user_end);
    const auto query_at = std::min(rest.find('?'), rest.size());
    auto query = rest.substr(query_at);
    rest = rest.substr(0, query_at);
    const auto slash = std::min(rest.find('/'), rest.size());
    const auto hosts = rest.substr(0, slash);
    const auto path = rest.substr(slash);
    const auto database = path.substr(path.empty() ? 0 : 1);
    const bool hosts_fit = postgres ? are_hosts_and_ports(hosts)
                                    : is_host_and_port(hosts) && !hosts.empty() && hosts.front() != ':';
    if (!hosts_fit || !is_name(database)) return std::nullopt;
    Address address{std::string(hosts), std::string(database)};
    if (!postgres || query.size() <= 1) return address;

    // libpq's parameters may name another host or database than the rest.
    Keywords found;
    for (const auto parameter : split(query.substr(1), '&')) {
        const auto equals = parameter.find('=');
        if (equals == std::string_view::npos || !is_plain(parameter.substr(0, equals), "_"))
            return std::nullopt;
        if (!found.set(parameter.substr(0, equals), parameter.substr(equals + 1))) return std::nullopt;
    }
    if (found.database) address.database = *found.database;
    if (!found.name_a_server()) return address;
    if (!hosts.empty()) return std::nullopt;
    auto named = hosts_of(found);
    if (!named) return std::nullopt;
    address.hosts = *std::move(named);
    return address;
}

std::string to_uri(std::string_view scheme, const Address& address) {
    std::string uri = std::string(scheme) + "://" + address.hosts;
    if (!address.database.empty()) uri += "/" + address.database;
    return uri;
}

}  // namespace

std::optional<std::string> understood_address(std::string_view text) {
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) {
        if (!contains(text, '=')) {
            // A word alone may be anything.
            const bool address = contains(text, ':') && !text.starts_with(':') && is_host_and_port(text) &&
                                 is_digit(text.back());
            return address ? std::optional(std::string(text)) : std::nullopt;
        }
        const auto address = from_keywords(text);
        return address ? std::optional(to_uri("postgresql", *address)) : std::nullopt;
    }
    constexpr std::array<std::string_view, 12> kSchemes = {"bolt",       "bolt+s",    "bolt+ssc", "neo4j",
                                                           "neo4j+s",    "neo4j+ssc", "http",     "https",
                                                           "postgresql", "postgres",  "redis",    "rediss"};
    const auto scheme = text.substr(0, scheme_end);
    if (std::ranges::find(kSchemes, scheme) == kSchemes.end()) return std::nullopt;
    const auto address = from_uri(text.substr(scheme_end + 3), scheme.starts_with("postgres"));
    return address ? std::optional(to_uri(scheme, *address)) : std::nullopt;
}

std::string shown_address(std::string_view text) {
    return understood_address(text).value_or("(an address that can't be read)");
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "::1" ||
           (host.starts_with("127.") && is_plain(host, ".") && std::ranges::none_of(host, is_letter));
}

}  // namespace crossover
