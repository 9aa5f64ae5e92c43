#include "bolt/session_context.h"

#include <fmt/format.h>

namespace crossover::bolt {

namespace {

// A server that is well answers RESET at once; one that is not is worth a new connection.
constexpr std::chrono::milliseconds kRecoveryTime{5'000};

Record::Keys keys_of(const Map& metadata) {
    std::vector<std::string> keys;
    if (const List* fields = metadata.get_if<List>("fields")) {
        for (const Value& field : *fields) {
            const auto* name = field.get_if<std::string>();
            keys.push_back(name == nullptr ? std::string() : *name);
        }
    }
    return std::make_shared<const std::vector<std::string>>(std::move(keys));
}

}  // namespace

SessionContext::SessionContext(std::shared_ptr<DriverCore> core, SessionConfig config)
    : core_(std::move(core)), config_(std::move(config)) {}

SessionContext::~SessionContext() {
    if (in_transaction_) {
        rollback_quietly(transaction_number_);
    } else {
        finish_result();
    }
}

std::chrono::milliseconds SessionContext::timeout() const {
    return config_.timeout ? *config_.timeout : core_->config().timeout;
}

Deadline SessionContext::exchange_deadline(const std::optional<Deadline>& whole) const {
    const Deadline limit = Deadline::after(timeout());
    return whole ? limit.earlier(*whole) : limit;
}

std::optional<Deadline> SessionContext::whole_of(const RunOptions& options) const {
    if (!config_.deadline || !options.deadline) return config_.deadline ? config_.deadline : options.deadline;
    return config_.deadline->earlier(*options.deadline);
}

Deadline SessionContext::limited(Deadline deadline, const RunOptions& options) const {
    const auto whole = whole_of(options);
    return whole ? deadline.earlier(*whole) : deadline;
}

TransactionExtra SessionContext::extra(AccessMode access) const {
    return {config_.database, access, config_.bookmarks,
            whole_ ? whole_->remaining() : core_->config().longest_transaction};
}

void SessionContext::demand_time(const std::optional<Deadline>& deadline) const {
    if (!deadline || !deadline->passed()) return;
    throw Error(System::neo4j, ErrorKind::timeout,
                fmt::format("Neo4j at {} was not asked: what came before took all the time there was.",
                            to_string(lease_ ? lease_->address() : core_->uri().address)));
}

void SessionContext::acquire(AccessMode access, const RunOptions& options) {
    whole_ = whole_of(options);
    demand_time(whole_);
    auto acquired = core_->acquire(config_.database, access, config_.bookmarks, whole_);
    lease_ = std::move(acquired.lease);
    // The home database stays the same for the whole session, whatever an administrator changes.
    config_.database = std::move(acquired.database);
}

std::shared_ptr<Stream> SessionContext::run(const std::string& query, const Parameters& parameters,
                                            const RunOptions& options) {
    if (in_transaction_) {
        throw Error(System::internal, ErrorKind::internal,
                    "A session with an open transaction runs statements in that transaction only.");
    }
    finish_result();
    return guard([&] {
        acquire(config_.access, options);
        const TransactionExtra auto_commit = extra(config_.access);
        return start(query, parameters, options, &auto_commit);
    });
}

void SessionContext::begin(AccessMode access, const RunOptions& options) {
    if (in_transaction_) {
        throw Error(System::internal, ErrorKind::internal, "The session has an open transaction already.");
    }
    finish_result();
    ++transaction_number_;
    committed_ = false;
    commit_unknown_ = false;
    transaction_error_.reset();
    guard([&] {
        acquire(access, options);
        const Deadline deadline = exchange_deadline(whole_);
        if (!lease_->protocol().begin(extra(access))) {
            throw Error(System::neo4j, ErrorKind::too_large,
                        "The bookmarks for Neo4j are too large to send.");
        }
        lease_->flush(deadline);
        lease_->expect_success(wait_limits(whole_), config_.database);
        in_transaction_ = true;
    });
}

std::shared_ptr<Stream> SessionContext::run_in_transaction(std::uint64_t number, const std::string& query,
                                                           const Parameters& parameters,
                                                           const RunOptions& options) {
    demand_transaction(number);
    finish_result();
    demand_transaction(number);
    return guard([&] { return start(query, parameters, options, nullptr); });
}

std::shared_ptr<Stream> SessionContext::start(const std::string& query, const Parameters& parameters,
                                              const RunOptions& options,
                                              const TransactionExtra* auto_commit) {
    std::optional<Deadline> whole = whole_;
    if (options.deadline) whole = whole ? whole->earlier(*options.deadline) : options.deadline;
    demand_time(whole);
    const std::int64_t fetch_size = options.fetch_size.value_or(config_.fetch_size);
    const Deadline deadline = exchange_deadline(whole);
    SessionProtocol& protocol = lease_->protocol();
    if (!protocol.run(query, parameters, auto_commit)) {
        throw Error(System::neo4j, ErrorKind::too_large,
                    "A query parameter cannot be sent to Neo4j: it is too large or too deeply nested.");
    }
    protocol.pull(fetch_size);
    lease_->flush(deadline);
    const bool read_only = auto_commit != nullptr && auto_commit->access == AccessMode::read;
    auto stream = std::make_shared<Stream>(*this, whole, fetch_size, auto_commit != nullptr, read_only);
    const Map metadata = lease_->expect_success(wait_limits(whole), config_.database);
    stream->keys_ = keys_of(metadata);
    if (const auto* first = metadata.get_if<std::int64_t>("t_first")) {
        stream->available_after_ = std::chrono::milliseconds(*first);
    }
    open_ = stream.get();
    return stream;
}

void SessionContext::commit(std::uint64_t number) {
    demand_transaction(number);
    finish_result();
    demand_transaction(number);
    const Address address = lease_->address();
    try {
        guard([&] {
            demand_time(whole_);
            const Deadline deadline = exchange_deadline(whole_);
            lease_->protocol().commit();
            commit_unknown_ = true;
            lease_->flush(deadline);
            const auto& event = lease_->receive(wait_limits(whole_));
            if (event.response.kind == Response::Kind::failure) {
                commit_unknown_ = false;
                throw lease_->to_error(event.response.metadata, config_.database);
            }
            if (event.response.kind != Response::Kind::success) {
                throw Error(System::neo4j, ErrorKind::protocol, "the answer to COMMIT is not one");
            }
            commit_unknown_ = false;
            committed_ = true;
            take_bookmark(event.response.metadata);
            release();
        });
    } catch (const Error& error) {
        if (!commit_unknown_) throw;
        const auto kind = error.kind() == ErrorKind::timeout ? ErrorKind::timeout : ErrorKind::unreachable;
        throw Error(
            System::neo4j, kind,
            fmt::format(
                "Neo4j at {} did not answer COMMIT: it is unknown whether the transaction was applied. "
                "Look at the data before repeating it. ({})",
                to_string(address), error.what()));
    }
}

void SessionContext::rollback(std::uint64_t number) {
    if (!in_transaction(number)) {
        if (number == transaction_number_ && !committed_ && !commit_unknown_) return;
        throw Error(System::neo4j, ErrorKind::rejected,
                    "The transaction was committed, or may have been: it can't be rolled back any more.");
    }
    if (open_ != nullptr || (whole_ && whole_->passed())) {
        if (open_ != nullptr) {
            open_->end(Error(System::neo4j, ErrorKind::rejected,
                             "The result was ended: its transaction was rolled back."));
        }
        recover();
        return;
    }
    guard([&] {
        const Deadline deadline = exchange_deadline(whole_);
        lease_->protocol().rollback();
        lease_->flush(deadline);
        lease_->expect_success(wait_limits(whole_), config_.database);
        release();
    });
}

void SessionContext::rollback_quietly(std::uint64_t number) noexcept {
    if (!in_transaction(number)) return;
    try {
        rollback(number);
    } catch (const std::exception&) {
        // The connection is closed by now, by which the server rolls back too.
    }
}

Version SessionContext::version(std::uint64_t number) const {
    demand_transaction(number);
    return lease_->version();
}

void SessionContext::demand_transaction(std::uint64_t number) const {
    if (in_transaction(number)) return;
    if (number == transaction_number_ && transaction_error_) throw *transaction_error_;
    throw Error(System::neo4j, ErrorKind::rejected,
                "The transaction has ended by commit or rollback: begin another one.");
}

void SessionContext::take_bookmark(const Map& metadata) {
    if (const auto* bookmark = metadata.get_if<std::string>("bookmark")) config_.bookmarks = {*bookmark};
}

void SessionContext::finish_result() noexcept {
    if (open_ == nullptr) return;
    Stream& stream = *open_;
    stream.abandon();
    if (!stream.error_) {
        stream.error_ =
            Error(System::neo4j, ErrorKind::rejected,
                  "The result was ended: its session has gone on to another statement, or has ended.");
    }
}

void SessionContext::recover() noexcept {
    if (lease_ && !lease_->broken() && !lease_->ready()) {
        try {
            const Deadline limit = Deadline::after(std::min(kRecoveryTime, timeout()));
            lease_->reset(whole_ ? limit.earlier(*whole_) : limit);
        } catch (const std::exception&) {
            // It is closed instead.
        }
    }
    release();
}

void SessionContext::release() noexcept {
    in_transaction_ = false;
    open_ = nullptr;
    whole_.reset();
    lease_.give_back();
}

}  // namespace crossover::bolt
