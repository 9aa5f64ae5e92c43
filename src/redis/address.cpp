#include <fmt/format.h>

#include <boost/url.hpp>
#include <charconv>

#include "base/error.h"
#include "redis/connection.h"

namespace crossover::redis {

namespace {

[[noreturn]] void refuse(std::string_view why) {
    throw Error(
        System::redis, ErrorKind::usage,
        fmt::format("REDIS_URL {}: it must look like redis://user:password@host:6379/0, or rediss:// for "
                    "TLS; encode what has a meaning in URLs ('@' in a password is %40).",
                    why));
}

int database_of(const std::string& path) {
    if (path.empty() || path == "/") return 0;
    int number = 0;
    const char* end = path.data() + path.size();
    const auto [stop, error] = std::from_chars(path.data() + 1, end, number);
    if (path.front() != '/' || error != std::errc() || stop != end || number < 0) {
        refuse("does not end with the number of a database");
    }
    return number;
}

}  // namespace

Address parse_url(const std::string& url) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed) refuse("is no URL");
    const std::string scheme = parsed->scheme();
    if (scheme != "redis" && scheme != "rediss") refuse("begins with neither redis:// nor rediss://");
    if (parsed->host().empty()) refuse("names no host");
    if (parsed->has_query() || parsed->has_fragment()) refuse("has options, which are not understood");
    Address address;
    address.tls = scheme == "rediss";
    address.host = parsed->host_address();
    if (parsed->has_port() && !parsed->port().empty()) {
        address.port = parsed->port_number();
        if (address.port == 0) refuse("names a port that is none");
    }
    address.user = parsed->user();
    address.password = parsed->password();
    address.database = database_of(parsed->path());
    return address;
}

std::string to_string(const Address& address) {
    const bool bracket = address.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}/{}", address.tls ? "rediss" : "redis", bracket ? "[" : "",
                       address.host, bracket ? "]" : "", address.port, address.database);
}

}  // namespace crossover::redis
