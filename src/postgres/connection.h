#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

struct pg_conn;
struct pg_result;

/// PostgreSQL over libpq, without blocking: every call ends at its deadline. No type of libpq leaves this
/// folder.
namespace crossover::postgres {

/// A parameter of a statement: text as PostgreSQL would read it, or the binary form of its type. Does not own
/// its bytes.
struct Parameter {
    Parameter(std::string_view text) : bytes(text) {}
    Parameter(const std::string& text) : bytes(text) {}
    Parameter(const char* text) : bytes(text) {}
    Parameter(std::nullptr_t) {}
    Parameter(const std::optional<std::string>& text) : bytes(text) {}
    /// For BYTEA these are the bytes themselves.
    static Parameter binary(std::string_view bytes) {
        Parameter parameter(bytes);
        parameter.is_binary = true;
        return parameter;
    }

    std::optional<std::string_view> bytes;  ///< nothing is NULL
    bool is_binary = false;
};

/// An array of BYTEA in its binary form, for `= ANY($1::bytea[])`; to be given as Parameter::binary.
std::string bytea_array(std::span<const std::string_view> elements);
/// Of TEXT, for `$1::text[]`, likewise.
std::string text_array(std::span<const std::string_view> elements);

/// The form in which a statement's values come back.
enum class Format { text, binary };

/// What a statement gave. Views hold as long as the Result.
class Result {
  public:
    struct Free {
        void operator()(pg_result* result) const;
    };

    std::size_t rows() const;
    std::size_t columns() const;
    bool is_null(std::size_t row, std::size_t column) const;
    /// Of a NULL: empty. A BYTEA as text is in PostgreSQL's hex form.
    std::string_view value(std::size_t row, std::size_t column) const;
    std::optional<std::string_view> optional(std::size_t row, std::size_t column) const;
    /// Of integers in Format::text.
    std::int64_t integer(std::size_t row, std::size_t column) const;
    /// Rows that an INSERT, UPDATE, DELETE, SELECT or COPY touched.
    std::int64_t affected() const;

  private:
    friend class Connection;
    std::unique_ptr<pg_result, Free> result_;
};

/// One session. One thread at a time. Throws crossover::Error of System::postgres, with the SQLSTATE as
/// native code and a kind by its class. After `unreachable` or `timeout` the session is over (`usable()` is
/// false); other errors leave it usable, inside a failed transaction if one was open.
///
/// The `statement_timeout` and `lock_timeout` that an administrator has given the user are meant for others,
/// and hold for no statement here: deadlines end it, and a client that is gone ends it too. This takes no
/// round trip.
class Connection {
  public:
    /// Of "postgresql://user:password@host:port/database" or libpq's "host=… dbname=…". Only the look-up of a
    /// host name is beyond the deadline's reach. Texts are UTF-8 both ways.
    Connection(const std::string& url, Deadline deadline, const std::string& application = "crossover");
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// One or several statements without parameters; the last one's result, as text.
    Result exec(const std::string& sql, Deadline deadline);
    /// One statement with $1, $2, …
    Result exec(const std::string& sql, std::span<const Parameter> parameters, Deadline deadline,
                Format format = Format::text);
    Result exec(const std::string& sql, std::initializer_list<Parameter> parameters, Deadline deadline,
                Format format = Format::text) {
        return exec(sql, std::span(parameters.begin(), parameters.size()), deadline, format);
    }
    /// Behind a pooler nothing is prepared, and exec_prepared sends the statement each time.
    void prepare(const std::string& name, const std::string& sql, Deadline deadline);
    Result exec_prepared(const std::string& name, std::span<const Parameter> parameters, Deadline deadline,
                         Format format = Format::text);
    Result exec_prepared(const std::string& name, std::initializer_list<Parameter> parameters,
                         Deadline deadline, Format format = Format::text) {
        return exec_prepared(name, std::span(parameters.begin(), parameters.size()), deadline, format);
    }

    /// One statement whose rows come one by one, so that memory does not grow with them; each in a Result of
    /// its own, in binary form. The deadline is for all of them, `on_row`'s own time included.
    void stream(const std::string& sql, std::span<const Parameter> parameters, Deadline deadline,
                const std::function<void(const Result&)>& on_row);

    /// `COPY … FROM STDIN`, then any bytes in any pieces, then the end, which says how many rows it took.
    /// `sql` may have statements before the COPY. An error ends the COPY.
    void begin_copy(const std::string& sql, Deadline deadline);
    void copy_data(std::string_view bytes, Deadline deadline);
    std::int64_t end_copy(Deadline deadline);

    bool usable() const { return connection_ != nullptr; }
    /// A pooler such as PgBouncer stands between: what is set for the session, or prepared in it, may be
    /// somebody else's with the next transaction.
    bool pooled() const { return pooled_; }
    /// When it was made: a standby, or a user or database that may only read.
    bool read_only() const { return read_only_; }
    /// Inside a transaction, failed or not.
    bool in_transaction() const;
    /// The host that the password went to unencrypted; empty where it was encrypted, or there is none.
    /// Sockets and loopback count, too.
    const std::string& open_secret_host() const { return open_secret_host_; }
    /// "postgresql://host:port/database": without user and password.
    const std::string& name() const { return name_; }
    /// 150018 is 15.18.
    int server_version() const;

  private:
    struct Arrays;

    void look_around(Deadline deadline);
    /// A statement of its own needs what a transaction or the session would have set.
    bool needs_own_settings() const { return !has_settings_ && !in_transaction(); }
    Result exec_with_settings(const std::string& sql, const Arrays& arrays, Deadline deadline, Format format);
    void wait(short events, Deadline deadline, std::string_view what);
    void flush(Deadline deadline);
    void send(bool sent, Deadline deadline);
    /// All results up to the end, or up to a COPY; throws for the first one that is an error.
    Result finish(Deadline deadline);
    /// What went wrong, where the result says so.
    std::optional<Error> failure_in(const pg_result* result);
    [[noreturn]] void fail(const Error& failure);
    std::unique_ptr<pg_result, Result::Free> next_result(Deadline deadline);
    [[noreturn]] void lost(std::string_view what);
    [[noreturn]] void late(std::string_view what);
    void close();

    std::string name_;
    std::string open_secret_host_;
    pg_conn* connection_ = nullptr;
    bool pooled_ = false, read_only_ = false;
    bool has_settings_ = false;                         ///< the session itself, which is ours alone
    std::map<std::string, std::string> unprepared_;     ///< statements by name, behind a pooler
    std::unique_ptr<pg_result, Result::Free> pending_;  ///< taken, not yet judged
};

/// What a transaction of ours begins with, given to Connection::exec: a client that is frozen holds its locks
/// for a minute, whatever its user is allowed; one that is gone ends its statement.
inline constexpr std::string_view kBegin =
    "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL "
    "client_connection_check_interval = '2s'";

/// kBegin, and ROLLBACK where no commit was made. The destructor never throws; a session that can't roll back
/// in ten seconds is over.
class Transaction {
  public:
    explicit Transaction(Connection& connection, Deadline deadline) : connection_(connection) {
        connection_.exec(std::string(kBegin), deadline);
    }
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    /// Where this throws `unreachable` or `timeout`, the outcome is unknown.
    void commit(Deadline deadline);

  private:
    Connection& connection_;
    bool open_ = true;
};

/// Throws `not_ready`, with what to do, where nothing can be written.
void require_writable(const Connection& connection);

/// What to do with a SQLSTATE; for tests.
ErrorKind kind_of_sqlstate(std::string_view sqlstate);

}  // namespace crossover::postgres
