#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bolt/driver_core.h"
#include "bolt/result.h"
#include "bolt/session.h"

namespace crossover::bolt {

/// What a session, its transaction and its open result share: the borrowed connection. One thread at a time.
///
/// The connection is held from run() or begin() to the end of that transaction. After any error the
/// transaction is over: the connection was brought back to READY and returned, or closed.
class SessionContext {
  public:
    SessionContext(std::shared_ptr<DriverCore> core, SessionConfig config);
    ~SessionContext();

    std::shared_ptr<Stream> run(const std::string& query, const Parameters& parameters,
                                const RunOptions& options);
    void begin(AccessMode access, const RunOptions& options);
    /// Of the transaction begun last. The following are told which one is meant, because it may have ended,
    /// and another have begun.
    std::uint64_t transaction_number() const noexcept { return transaction_number_; }
    bool in_transaction(std::uint64_t number) const noexcept {
        return in_transaction_ && number == transaction_number_;
    }
    std::shared_ptr<Stream> run_in_transaction(std::uint64_t number, const std::string& query,
                                               const Parameters& parameters, const RunOptions& options);
    void commit(std::uint64_t number);
    /// By ROLLBACK, or by RESET while a result is open.
    void rollback(std::uint64_t number);
    void rollback_quietly(std::uint64_t number) noexcept;
    /// Of the server that the open transaction runs on; throws where there is none.
    Version version(std::uint64_t number) const;

    /// True where COMMIT was sent and its answer never came.
    bool commit_unknown() const noexcept { return commit_unknown_; }
    /// What ended the transaction before its time.
    const std::optional<Error>& transaction_error() const noexcept { return transaction_error_; }
    const std::vector<std::string>& bookmarks() const noexcept { return config_.bookmarks; }
    const SessionConfig& config() const noexcept { return config_; }
    DriverCore& core() noexcept { return *core_; }
    /// `deadline`, or the session's or options' where one of them is earlier.
    Deadline limited(Deadline deadline, const RunOptions& options) const;

  private:
    friend class Stream;

    std::chrono::milliseconds timeout() const;
    /// The session's and the options' as one.
    std::optional<Deadline> whole_of(const RunOptions& options) const;
    WaitLimits wait_limits(const std::optional<Deadline>& whole) const { return {timeout(), whole}; }
    /// For sending a request.
    Deadline exchange_deadline(const std::optional<Deadline>& whole) const;
    TransactionExtra extra(AccessMode access) const;
    /// Takes a connection, and knows the deadline of what it is taken for.
    void acquire(AccessMode access, const RunOptions& options);
    /// Throws `timeout` where it is too late to ask.
    void demand_time(const std::optional<Deadline>& deadline) const;
    std::shared_ptr<Stream> start(const std::string& query, const Parameters& parameters,
                                  const RunOptions& options, const TransactionExtra* auto_commit);
    /// Throws what ended the transaction, where it has ended.
    void demand_transaction(std::uint64_t number) const;
    void take_bookmark(const Map& metadata);
    /// Lets the open result end, so that another statement can begin.
    void finish_result() noexcept;
    /// Runs `action`; on an error ends the transaction and rethrows.
    template <class Action>
    decltype(auto) guard(Action action);
    void recover() noexcept;
    void release() noexcept;

    const std::shared_ptr<DriverCore> core_;
    SessionConfig config_;
    Pool::Lease lease_;
    Stream* open_ = nullptr;
    bool in_transaction_ = false;
    std::uint64_t transaction_number_ = 0;
    bool committed_ = false;
    bool commit_unknown_ = false;
    std::optional<Deadline> whole_;  ///< for what the lease is held for
    std::optional<Error> transaction_error_;
};

/// The rows of one statement on the wire.
class Stream {
  public:
    Stream(SessionContext& context, std::optional<Deadline> deadline, std::int64_t fetch_size,
           bool auto_commit, bool read_only)
        : context_(&context),
          deadline_(deadline),
          fetch_size_(fetch_size),
          auto_commit_(auto_commit),
          read_only_(read_only) {}
    /// Ends the statement as Result says.
    void abandon() noexcept;

    bool next(RecordView& record);
    Summary consume();
    void cancel();

    const Record::Keys& keys() const noexcept { return keys_; }

  private:
    friend class SessionContext;
    WaitLimits wait_limits() const { return context_->wait_limits(deadline_); }
    /// Throws what has ended the stream before its time.
    void check() const;
    void finish(const Map& metadata);
    /// Reading it throws from now on.
    void end(const Error& error) noexcept;

    SessionContext* context_;  ///< null once the stream has ended
    std::optional<Deadline> deadline_;
    std::int64_t fetch_size_;
    bool auto_commit_;
    bool read_only_;
    Record::Keys keys_;
    std::optional<std::chrono::milliseconds> available_after_;
    bool consumed_ = false;
    Summary summary_;
    std::optional<Error> error_;
};

template <class Action>
decltype(auto) SessionContext::guard(Action action) {
    try {
        return action();
    } catch (const Error& error) {
        if (in_transaction_) transaction_error_ = error;
        // Without a code only an error of the network says something of the server.
        if (lease_ && (lease_->broken() || !error.native_code().empty()))
            core_->notice(error, lease_->address(), config_.database);
        if (open_ != nullptr) open_->end(error);
        recover();
        if (core_->closed() && error.kind() == ErrorKind::unreachable) {
            throw Error(System::neo4j, ErrorKind::cancelled,
                        "The connection to Neo4j was closed on request.");
        }
        throw;
    } catch (...) {
        if (open_ != nullptr) {
            open_->end(
                Error(System::internal, ErrorKind::internal, "The statement was ended by an earlier error."));
        }
        recover();
        throw;
    }
}

}  // namespace crossover::bolt
