#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "bolt/handshake.h"
#include "bolt/messages.h"
#include "bolt/parameters.h"
#include "bolt/result.h"

namespace crossover::bolt {

class SessionContext;

struct SessionConfig {
    std::string database = {};              ///< empty = the user's home database
    AccessMode access = AccessMode::write;  ///< of run() and begin()
    /// Read what these transactions wrote, wherever they ran.
    std::vector<std::string> bookmarks = {};
    std::int64_t fetch_size = 1000;  ///< rows of one PULL; -1 = all
    /// For everything done here, as one: waiting for connections, transactions and their repetition, rows.
    /// The server is told too. Unset = each call may last `timeout`, and rows may come for as long as they
    /// do.
    std::optional<Deadline> deadline = {};
    /// Longest silence of the server, in each call and before each row; its keep-alives are no silence. Unset
    /// = the driver's.
    std::optional<std::chrono::milliseconds> timeout = {};
};

struct RunOptions {
    /// Of this statement or transaction, where it is earlier than the session's.
    std::optional<Deadline> deadline = {};
    std::optional<std::int64_t> fetch_size = {};  ///< unset = the session's
};

/// An explicit transaction. Move-only; destroyed without commit() it is rolled back. Its session must outlive
/// it.
class Transaction {
  public:
    /// The one that `context` has just begun.
    explicit Transaction(std::shared_ptr<SessionContext> context) noexcept;
    Transaction(Transaction&&) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    /// Ends the result of the former statement, if rows of it are left.
    Result run(const std::string& query, const Parameters& parameters = {}, const RunOptions& options = {});
    /// A connection lost, or a deadline passed, after COMMIT was sent is an Error (`unreachable`, `timeout`)
    /// that says that the outcome is unknown.
    void commit();
    /// Nothing where an error or a rollback has ended it. Throws `rejected` where it was committed.
    void rollback();
    bool open() const noexcept;
    /// What its server speaks: queries may depend on it. Throws where the transaction has ended.
    Version version() const;

  private:
    std::shared_ptr<SessionContext> context_;
    std::uint64_t number_ = 0;  ///< which of the context's
};

/// A chain of transactions, each of which sees the ones before (by bookmarks). Takes a connection from the
/// pool for each transaction and returns it at its end. One thread at a time; move-only.
///
/// All calls throw crossover::Error of System::neo4j with the server's code, e.g.
/// "Neo.ClientError.Statement.SyntaxError". After any error the session can be used again.
class Session {
  public:
    explicit Session(std::shared_ptr<SessionContext> context) noexcept;
    Session(Session&&) noexcept;
    Session& operator=(Session&&) = delete;
    ~Session();

    /// An auto-commit transaction: commits when its rows are read, or by Result::consume(). Returns once the
    /// server has accepted the statement.
    Result run(const std::string& query, const Parameters& parameters = {}, const RunOptions& options = {});
    Transaction begin(const RunOptions& options = {});

    /// Calls `work(Transaction&)`, commits, and returns what it returned. Repeats it in a new transaction,
    /// after a growing wait, where the failure passes by itself: transient errors, no leader, a connection
    /// lost or a server silent before COMMIT. Ends with the last error DriverConfig::max_retry_time after the
    /// first one, or with the deadline. `work` must not commit itself.
    template <class Work>
    auto execute_read(Work&& work, const RunOptions& options = {}) {
        return execute(AccessMode::read, std::forward<Work>(work), options);
    }
    template <class Work>
    auto execute_write(Work&& work, const RunOptions& options = {}) {
        return execute(AccessMode::write, std::forward<Work>(work), options);
    }

    /// Of the last transaction that committed here; before that, those given. For the next session to see it.
    std::vector<std::string> last_bookmarks() const;

  private:
    void repeat(AccessMode access, const RunOptions& options, const std::function<void(Transaction&)>& work);

    template <class Work>
    auto execute(AccessMode access, Work&& work, const RunOptions& options) {
        using Outcome = std::invoke_result_t<Work&, Transaction&>;
        if constexpr (std::is_void_v<Outcome>) {
            repeat(access, options, [&](Transaction& transaction) { work(transaction); });
        } else {
            std::optional<Outcome> outcome;
            repeat(access, options, [&](Transaction& transaction) { outcome.emplace(work(transaction)); });
            return std::move(*outcome);
        }
    }

    std::shared_ptr<SessionContext> context_;
};

}  // namespace crossover::bolt
