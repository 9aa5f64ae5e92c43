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
        rollback_quietly();
    } else {
        settle();
    }
}

std::chrono::milliseconds SessionContext::timeout() const {
    return config_.timeout ? *config_.timeout : core_->config().timeout;
}

Deadline SessionContext::exchange_deadline(const std::optional<Deadline>& whole) const {
    const Deadline limit = Deadline::after(timeout());
    return whole ? limit.earlier(*whole) : limit;
}

TransactionExtra SessionContext::extra(AccessMode access, const RunOptions& options) const {
    TransactionExtra extra{config_.database, access, config_.bookmarks, std::nullopt};
    if (options.server_timeout) extra.timeout_ms = options.server_timeout->count();
    return extra;
}

std::shared_ptr<Stream> SessionContext::run(const std::string& query, const Parameters& parameters,
                                            const RunOptions& options) {
    if (in_transaction_) {
        throw Error(System::internal, ErrorKind::internal,
                    "A session with an open transaction runs statements in that transaction only.");
    }
    settle();
    return guard([&] {
        lease_ = core_->acquire(config_.database, config_.access, config_.bookmarks, options.deadline);
        const TransactionExtra auto_commit = extra(config_.access, options);
        return start(query, parameters, options, &auto_commit);
    });
}

void SessionContext::begin(AccessMode access, const RunOptions& options) {
    if (in_transaction_) {
        throw Error(System::internal, ErrorKind::internal, "The session has an open transaction already.");
    }
    settle();
    commit_unknown_ = false;
    transaction_error_.reset();
    guard([&] {
        lease_ = core_->acquire(config_.database, access, config_.bookmarks, options.deadline);
        transaction_deadline_ = options.deadline;
        const Deadline deadline = exchange_deadline(transaction_deadline_);
        if (!lease_->protocol().begin(extra(access, options))) {
            throw Error(System::neo4j, ErrorKind::too_large,
                        "The bookmarks for Neo4j are too large to send.");
        }
        lease_->flush(deadline);
        lease_->expect_success(Patience::until(deadline), config_.database);
        in_transaction_ = true;
    });
}

std::shared_ptr<Stream> SessionContext::run_in_transaction(const std::string& query,
                                                           const Parameters& parameters,
                                                           const RunOptions& options) {
    settle();
    demand_transaction();
    return guard([&] { return start(query, parameters, options, nullptr); });
}

std::shared_ptr<Stream> SessionContext::start(const std::string& query, const Parameters& parameters,
                                              const RunOptions& options,
                                              const TransactionExtra* auto_commit) {
    std::optional<Deadline> whole = options.deadline;
    if (auto_commit == nullptr && transaction_deadline_) {
        whole = whole ? whole->earlier(*transaction_deadline_) : transaction_deadline_;
    }
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
    const Map metadata = lease_->expect_success(Patience::until(deadline), config_.database);
    stream->keys_ = keys_of(metadata);
    if (const auto* first = metadata.get_if<std::int64_t>("t_first")) {
        stream->available_after_ = std::chrono::milliseconds(*first);
    }
    open_ = stream.get();
    return stream;
}

void SessionContext::commit() {
    settle();
    demand_transaction();
    const Address address = lease_->address();
    try {
        guard([&] {
            const Deadline deadline = exchange_deadline(transaction_deadline_);
            lease_->protocol().commit();
            commit_unknown_ = true;
            lease_->flush(deadline);
            const auto& event = lease_->receive(Patience::until(deadline));
            if (event.response.kind == Response::Kind::failure) {
                commit_unknown_ = false;
                throw lease_->to_error(event.response.metadata, config_.database);
            }
            if (event.response.kind != Response::Kind::success) {
                throw Error(System::neo4j, ErrorKind::protocol, "the answer to COMMIT is not one");
            }
            commit_unknown_ = false;
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

void SessionContext::rollback() {
    if (!in_transaction_) return;
    if (open_ != nullptr) {
        open_->end(Error(System::neo4j, ErrorKind::rejected,
                         "The result was ended: its transaction was rolled back."));
        recover();
        return;
    }
    guard([&] {
        const Deadline deadline = exchange_deadline(transaction_deadline_);
        lease_->protocol().rollback();
        lease_->flush(deadline);
        lease_->expect_success(Patience::until(deadline), config_.database);
        release();
    });
}

void SessionContext::rollback_quietly() noexcept {
    try {
        rollback();
    } catch (const std::exception&) {
        // The connection is closed by now, by which the server rolls back too.
    }
}

Version SessionContext::version() const {
    demand_transaction();
    return lease_->version();
}

void SessionContext::demand_transaction() const {
    if (in_transaction_) return;
    if (transaction_error_) throw *transaction_error_;
    throw Error(System::neo4j, ErrorKind::rejected,
                "The transaction has ended by commit or rollback: begin another one.");
}

void SessionContext::take_bookmark(const Map& metadata) {
    if (const auto* bookmark = metadata.get_if<std::string>("bookmark")) config_.bookmarks = {*bookmark};
}

void SessionContext::settle() noexcept {
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
            lease_->reset(Deadline::after(std::min(kRecoveryTime, timeout())));
        } catch (const std::exception&) {
            // It is closed instead.
        }
    }
    release();
}

void SessionContext::release() noexcept {
    in_transaction_ = false;
    open_ = nullptr;
    transaction_deadline_.reset();
    lease_.give_back();
}

}  // namespace crossover::bolt
