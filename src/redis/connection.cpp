#include "redis/connection.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <boost/url.hpp>
#include <cerrno>
#include <charconv>

#include "core/error.h"

namespace crossover::redis {

namespace {

timeval to_timeval(std::chrono::milliseconds duration) {
    return {duration.count() / 1000, duration.count() % 1000 * 1000};
}

Reply to_reply(const redisReply& reply) {
    switch (reply.type) {
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS:
        case REDIS_REPLY_ERROR:
            return {std::string(reply.str, reply.len), {}};
        case REDIS_REPLY_INTEGER:
            return {std::to_string(reply.integer), {}};
        case REDIS_REPLY_ARRAY: {
            Reply all;
            for (std::size_t i = 0; i < reply.elements; ++i)
                all.elements.push_back(to_reply(*reply.element[i]));
            return all;
        }
        default:
            return {};
    }
}

ErrorKind kind_of(std::string_view refusal) {
    for (const char* code : {"NOAUTH", "WRONGPASS", "NOPERM"}) {
        if (refusal.starts_with(code)) return ErrorKind::authentication;
    }
    for (const char* code : {"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"}) {
        if (refusal.starts_with(code)) return ErrorKind::unavailable;
    }
    return refusal.starts_with("OOM") ? ErrorKind::overloaded : ErrorKind::rejected;
}

}  // namespace

Address parse_url(const std::string& url) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || (parsed->scheme() != "redis" && parsed->scheme() != "rediss") || parsed->host().empty()) {
        throw Error(System::redis, ErrorKind::usage,
                    "REDIS_URL must look like redis://:password@host:6379/0.");
    }
    if (parsed->scheme() == "rediss") {
        throw Error(
            System::redis, ErrorKind::usage,
            "REDIS_URL asks for TLS (rediss), which is not supported: put a TLS tunnel before Redis, or use "
            "redis:// within a private network.");
    }
    Address address;
    address.host = parsed->host_address();
    if (parsed->has_port()) address.port = parsed->port_number();
    address.user = parsed->user();
    address.password = parsed->password();
    const std::string path = parsed->path();
    if (path.size() > 1) {
        const auto [end, error] =
            std::from_chars(path.data() + 1, path.data() + path.size(), address.database);
        if (error != std::errc() || end != path.data() + path.size()) {
            throw Error(System::redis, ErrorKind::usage,
                        fmt::format("REDIS_URL names the database {}, which is no number.", path.substr(1)));
        }
    }
    return address;
}

std::string to_string(const Address& address) {
    return fmt::format("redis://{}:{}/{}", address.host, address.port, address.database);
}

void Connection::Free::operator()(redisContext* context) const {
    redisFree(context);
}

Connection::Connection(const Address& address, std::chrono::milliseconds timeout)
    : name_(to_string(address)),
      context_(redisConnectWithTimeout(address.host.c_str(), address.port, to_timeval(timeout))) {
    if (!context_ || context_->err != 0) {
        throw Error(
            System::redis, ErrorKind::unreachable,
            fmt::format("No connection to {}: {}.", name_, context_ ? context_->errstr : "out of memory"));
    }
    redisSetTimeout(context_.get(), to_timeval(timeout));
    if (!address.user.empty()) {
        call({"AUTH", address.user, address.password});
    } else if (!address.password.empty()) {
        call({"AUTH", address.password});
    }
    if (address.database != 0) call({"SELECT", std::to_string(address.database)});
}

Connection::~Connection() = default;

Reply Connection::call(std::span<const std::string_view> words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    const std::unique_ptr<void, decltype(&freeReplyObject)> answer(
        redisCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(), sizes.data()),
        freeReplyObject);
    if (!answer) {
        const bool late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
        throw Error(System::redis, late ? ErrorKind::timeout : ErrorKind::unreachable,
                    late ? fmt::format("{} did not answer in time.", name_)
                         : fmt::format("Lost the connection to {}: {}.", name_, context_->errstr));
    }
    const auto& reply = *static_cast<const redisReply*>(answer.get());
    if (reply.type == REDIS_REPLY_ERROR) {
        const std::string_view refusal(reply.str, reply.len);
        throw Error(System::redis, kind_of(refusal), fmt::format("{} refused: {}.", name_, refusal),
                    std::string(refusal.substr(0, refusal.find(' '))));
    }
    return to_reply(reply);
}

}  // namespace crossover::redis
