#include "bolt/driver.h"

#include "bolt/driver_core.h"
#include "bolt/session_context.h"

namespace crossover::bolt {

Driver::Driver(Uri uri, AuthToken auth, DriverConfig config, Connector connector)
    : core_(std::make_shared<DriverCore>(std::move(uri), std::move(auth), std::move(config),
                                         std::move(connector))) {}

Driver::~Driver() {
    close();
}

ServerInfo Driver::verify_connectivity(const std::string& database, Deadline deadline) {
    auto [lease, name] = core_->acquire(database, AccessMode::read, {}, deadline);
    const ServerInfo info{to_string(lease->address()), lease->server_agent(), lease->version()};
    // Only a transaction shows whether the database is there.
    lease->protocol().begin({name, AccessMode::read, {}, deadline.remaining()});
    lease->protocol().rollback();
    lease->flush(deadline);
    lease->expect_success(WaitLimits::until(deadline), database);
    lease->expect_success(WaitLimits::until(deadline), database);
    return info;
}

Session Driver::session(SessionConfig config) {
    return Session(std::make_shared<SessionContext>(core_, std::move(config)));
}

const Uri& Driver::uri() const noexcept {
    return core_->uri();
}

void Driver::close() noexcept {
    core_->close();
}

}  // namespace crossover::bolt
