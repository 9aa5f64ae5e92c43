#include "bolt/session.h"

#include <array>

#include "base/retry.h"
#include "bolt/session_context.h"

namespace crossover::bolt {

namespace {

/// True where a transaction that failed before its COMMIT may be repeated because the cause passes by itself.
bool passes(const Error& error) {
    if (error.system() != System::neo4j) return false;
    // Without a code it was silence or the network; with one it is Neo4j that ended what took too long.
    return error.kind() == ErrorKind::timeout ? error.native_code().empty() : error.retryable();
}

}  // namespace

Transaction::Transaction(std::shared_ptr<SessionContext> context) noexcept
    : context_(std::move(context)), number_(context_->transaction_number()) {}
Transaction::Transaction(Transaction&&) noexcept = default;

Transaction::~Transaction() {
    if (context_) context_->rollback_quietly(number_);
}

Result Transaction::run(const std::string& query, const Parameters& parameters, const RunOptions& options) {
    return Result(context_->run_in_transaction(number_, query, parameters, options));
}

void Transaction::commit() {
    context_->commit(number_);
}
void Transaction::rollback() {
    context_->rollback(number_);
}
bool Transaction::open() const noexcept {
    return context_ && context_->in_transaction(number_);
}
Version Transaction::version() const {
    return context_->version(number_);
}

Session::Session(std::shared_ptr<SessionContext> context) noexcept : context_(std::move(context)) {}
Session::Session(Session&&) noexcept = default;
Session::~Session() = default;

Result Session::run(const std::string& query, const Parameters& parameters, const RunOptions& options) {
    return Result(context_->run(query, parameters, options));
}

Transaction Session::begin(const RunOptions& options) {
    context_->begin(context_->config().access, options);
    return Transaction(context_);
}

std::vector<std::string> Session::last_bookmarks() const {
    return context_->bookmarks();
}

void Session::repeat(AccessMode access, const RunOptions& options,
                     const std::function<void(Transaction&)>& work) {
    std::optional<Deadline> limit;  // from the first failure on
    Backoff backoff;
    while (true) {
        try {
            context_->begin(access, options);
            Transaction transaction(context_);
            work(transaction);
            // A result's error may have gone unread.
            if (context_->transaction_error()) throw *context_->transaction_error();
            if (transaction.open()) transaction.commit();
            return;
        } catch (const Error& error) {
            if (!limit)
                limit = context_->limited(Deadline::after(context_->core().config().max_retry_time), options);
            const auto wait = backoff.next();
            if (context_->commit_unknown() || !passes(error) || limit->remaining() <= wait) throw;
            if (!context_->core().sleep(wait)) throw;
        }
    }
}

}  // namespace crossover::bolt
