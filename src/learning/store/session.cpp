#include "learning/store/session.h"

#include <fmt/format.h>

#include "base/error.h"
#include "log/log.h"

namespace crossover::learning {

namespace {

/// Older ones lack what our settings and statements use.
constexpr int kLeastVersion = 140'000;

}  // namespace

std::unique_ptr<postgres::Connection> open_session(const std::string& url, const std::string& application,
                                                   Deadline deadline) {
    auto connection = std::make_unique<postgres::Connection>(url, deadline, application);
    if (!connection->open_secret_host().empty()) {
        warn_of_open_secret("PostgreSQL", connection->open_secret_host(), connection->name(),
                            "add sslmode=require, or verify-full, to DATABASE_URL");
    }
    if (connection->server_version() < kLeastVersion) {
        throw Error(System::postgres, ErrorKind::not_ready,
                    fmt::format("{} is PostgreSQL {}; 15 or later is needed. Upgrade it first.",
                                connection->name(), connection->server_version() / 10'000));
    }
    return connection;
}

}  // namespace crossover::learning
