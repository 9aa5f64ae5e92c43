#include "bolt/pool.h"

#include <fmt/format.h>

namespace crossover::bolt {

std::shared_ptr<Pool> Pool::create(PoolConfig config, Open open) {
    return std::shared_ptr<Pool>(new Pool(std::move(config), std::move(open)));
}

Pool::Pool(PoolConfig config, Open open) : config_(std::move(config)), open_(std::move(open)) {}

Pool::Lease& Pool::Lease::operator=(Lease&& other) noexcept {
    if (this != &other) {
        give_back();
        pool_ = std::move(other.pool_);
        connection_ = std::move(other.connection_);
        opened_ = other.opened_;
        generation_ = other.generation_;
    }
    return *this;
}

void Pool::Lease::give_back() noexcept {
    if (connection_) pool_->take_back(*this);
    connection_.reset();
    pool_.reset();
}

Pool::Lease Pool::acquire(const Address& address, Deadline deadline) {
    std::unique_lock lock(mutex_);
    while (true) {
        if (closed_) throw closed_error();
        Place& place = places_[address];
        if (!place.idle.empty()) {
            Idle idle = std::move(place.idle.back());
            place.idle.pop_back();
            const bool outdated = idle.generation != generation_;
            ++place.in_use;
            lent_.insert(idle.connection.get());
            lock.unlock();
            const bool usable = !outdated && alive(idle, deadline);
            lock.lock();
            if (usable && !closed_) return lend(address, std::move(idle));
            lent_.erase(idle.connection.get());
            release_place(address);
            // Closing speaks to the network.
            lock.unlock();
            idle.connection.reset();
            lock.lock();
            continue;
        }
        if (place.in_use < config_.max_connections) {
            ++place.in_use;
            Idle fresh{nullptr, config_.now(), {}, generation_};
            lock.unlock();
            try {
                fresh.connection = open_(address, deadline);
            } catch (...) {
                lock.lock();
                release_place(address);
                throw;
            }
            lock.lock();
            if (!closed_) return lend(address, std::move(fresh));
            release_place(address);
            throw closed_error();
        }
        if (freed_.wait_until(lock, deadline.point()) == std::cv_status::timeout && !closed_ &&
            places_[address].idle.empty() && places_[address].in_use >= config_.max_connections) {
            throw Error(
                System::neo4j, ErrorKind::overloaded,
                fmt::format(
                    "All {} connections to Neo4j at {} are in use, and none came free in time. Use fewer "
                    "at once, or allow more.",
                    config_.max_connections, to_string(address)));
        }
    }
}

bool Pool::alive(Idle& idle, Deadline deadline) {
    const auto now = config_.now();
    if (now - idle.opened >= config_.max_lifetime || !idle.connection->quiet()) return false;
    if (now - idle.since < config_.liveness_check_after) return true;
    try {
        // A server that lives answers at once; one that is gone must leave time for a new connection.
        idle.connection->reset(deadline.earlier(Deadline::after(deadline.remaining() / 2)));
        return true;
    } catch (const Error&) {
        drop_idle(idle.connection->address());  // They are gone the same way.
        return false;
    }
}

Pool::Lease Pool::lend(const Address&, Idle idle) {
    Lease lease;
    lease.pool_ = shared_from_this();
    lease.opened_ = idle.opened;
    lease.generation_ = idle.generation;
    lease.connection_ = std::move(idle.connection);
    lent_.insert(lease.connection_.get());
    return lease;
}

void Pool::take_back(Lease& lease) noexcept {
    const Address address = lease.connection_->address();
    const bool reusable = lease.connection_->ready();
    std::unique_lock lock(mutex_);
    lent_.erase(lease.connection_.get());
    if (reusable && !closed_ && lease.generation_ == generation_) {
        places_[address].idle.push_back(
            Idle{std::move(lease.connection_), lease.opened_, config_.now(), lease.generation_});
    }
    release_place(address);
}

void Pool::release_place(const Address& address) noexcept {
    --places_[address].in_use;
    freed_.notify_all();
}

void Pool::drop_idle(const Address& address) {
    std::vector<Idle> dropped;
    std::lock_guard lock(mutex_);
    dropped.swap(places_[address].idle);
}

void Pool::renew_all() {
    std::lock_guard lock(mutex_);
    ++generation_;
}

void Pool::close() noexcept {
    std::map<Address, Place> closing;
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (Connection* connection : lent_) connection->interrupt();
    for (auto& [address, place] : places_) closing[address].idle.swap(place.idle);
    freed_.notify_all();
}

bool Pool::closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
}

std::size_t Pool::in_use(const Address& address) const {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(address);
    return found == places_.end() ? 0 : found->second.in_use;
}

std::size_t Pool::idle(const Address& address) const {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(address);
    return found == places_.end() ? 0 : found->second.idle.size();
}

Error Pool::closed_error() const {
    return Error(System::neo4j, ErrorKind::cancelled, "The connection pool to Neo4j was closed.");
}

}  // namespace crossover::bolt
