#include "postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <cerrno>
#include <charconv>
#include <regex>

#include "base/address.h"

namespace crossover::postgres {
namespace {

/// Before a statement outside a transaction: both are one transaction, with which the settings end.
constexpr std::string_view kSettings = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; ";
/// The same where only one statement may be sent at a time.
constexpr const char* kSettingsStatement =
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)";

constexpr int kOidUnknown = 0;
constexpr std::int32_t kOidBytea = 17, kOidText = 25;

void put_int32(std::string& bytes, std::int32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
}

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// The address of what is to be connected to; throws `usage` where it can't be read.
/// libpq's own words are not repeated: they may quote the password.
std::string name_of(const std::string& url) {
    if (url.empty()) {
        throw Error(System::config, ErrorKind::usage,
                    "PostgreSQL is not configured. Set DATABASE_URL, such as "
                    "postgresql://user:password@localhost:5432/agentdb.");
    }
    char* words = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), &words));
    if (words != nullptr) PQfreemem(words);
    if (!options) {
        throw Error(
            System::postgres, ErrorKind::usage,
            "DATABASE_URL can't be read. It must look like "
            "postgresql://user:password@host:5432/database, with special characters in the password as "
            "%XX.");
    }
    return shown_address(url);
}

/// As Connection::open_secret_host has it.
std::string open_secret_host_of(PGconn* connection) {
    if (PQconnectionUsedPassword(connection) == 0 || PQsslInUse(connection) != 0) return {};
    return PQhost(connection);
}

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        if (c != '\n') {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
    return line;
}

std::string_view advice(ErrorKind kind, std::string_view sqlstate) {
    if (sqlstate == "42P01") return " Run 'migrate migrate-agentdb', which makes the tables.";
    if (sqlstate == "53100") return " Make room on its disk.";
    if (sqlstate == "25006") {
        return " It is a standby, or set to be only read: name the primary in DATABASE_URL.";
    }
    if (sqlstate == "3F000") {
        return " Give its user a search_path with a schema that exists (ALTER ROLE … SET search_path = "
               "public).";
    }
    if (sqlstate == "57014") return " Somebody cancelled it (pg_cancel_backend). Try again.";
    if (sqlstate == "42501") return " Grant its user the right, or use another user in DATABASE_URL.";
    switch (kind) {
        case ErrorKind::usage:
            return " Correct DATABASE_URL.";
        case ErrorKind::authentication:
            return " Check user and password in DATABASE_URL.";
        case ErrorKind::not_found:
            return " Check the database in DATABASE_URL, or create it.";
        case ErrorKind::unreachable:
            return " Check that it runs, and DATABASE_URL.";
        case ErrorKind::overloaded:
            return " Try again later, or raise the server's limit.";
        case ErrorKind::unavailable:
            return " Try again in a moment.";
        default:
            return "";
    }
}

/// SQLSTATE in libpq's verbose words about a connection that was refused: "FATAL:  28P01: password …"
std::string sqlstate_in(const std::string& words) {
    static const std::regex kState(R"(:  ([0-9A-Z]{5}): )");
    std::string found;
    for (auto match = std::sregex_iterator(words.begin(), words.end(), kState);
         match != std::sregex_iterator(); ++match) {
        found = (*match)[1];
    }
    return found;
}

}  // namespace

ErrorKind kind_of_sqlstate(std::string_view sqlstate) {
    const auto in = [&](std::initializer_list<std::string_view> heads) {
        for (const auto head : heads) {
            if (sqlstate.starts_with(head)) return true;
        }
        return false;
    };
    if (in({"28", "42501"})) return ErrorKind::authentication;
    if (in({"3D", "57P04"})) return ErrorKind::not_found;
    // The transaction is surely undone in these.
    if (in({"40", "55P03", "55006", "57P03", "25006"})) return ErrorKind::unavailable;
    if (in({"08", "57P01", "57P02", "57P05", "25P03"})) return ErrorKind::unreachable;
    if (in({"57014"})) return ErrorKind::timeout;
    if (in({"53"})) return ErrorKind::overloaded;
    if (in({"54"})) return ErrorKind::too_large;
    if (in({"58"})) return ErrorKind::io;
    return ErrorKind::rejected;
}

namespace {

std::string array_of(std::int32_t type, std::span<const std::string_view> elements) {
    std::string bytes;
    std::size_t size = 20;
    for (const auto element : elements) size += 4 + element.size();
    bytes.reserve(size);
    put_int32(bytes, elements.empty() ? 0 : 1);  // dimensions
    put_int32(bytes, 0);                         // no NULL in it
    put_int32(bytes, type);
    if (elements.empty()) return bytes;
    put_int32(bytes, static_cast<std::int32_t>(elements.size()));
    put_int32(bytes, 1);  // first index
    for (const auto element : elements) {
        put_int32(bytes, static_cast<std::int32_t>(element.size()));
        bytes += element;
    }
    return bytes;
}

}  // namespace

std::string bytea_array(std::span<const std::string_view> elements) {
    return array_of(kOidBytea, elements);
}
std::string text_array(std::span<const std::string_view> elements) {
    return array_of(kOidText, elements);
}

void Result::Free::operator()(pg_result* result) const {
    PQclear(result);
}

std::size_t Result::rows() const {
    return static_cast<std::size_t>(PQntuples(result_.get()));
}
std::size_t Result::columns() const {
    return static_cast<std::size_t>(PQnfields(result_.get()));
}
bool Result::is_null(std::size_t row, std::size_t column) const {
    return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) == 1;
}
std::string_view Result::value(std::size_t row, std::size_t column) const {
    const int r = static_cast<int>(row), c = static_cast<int>(column);
    return {PQgetvalue(result_.get(), r, c), static_cast<std::size_t>(PQgetlength(result_.get(), r, c))};
}
std::optional<std::string_view> Result::optional(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return std::nullopt;
    return value(row, column);
}
std::int64_t Result::integer(std::size_t row, std::size_t column) const {
    const auto text = value(row, column);
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}
std::int64_t Result::affected() const {
    const std::string_view text = PQcmdTuples(result_.get());
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

Connection::Connection(const std::string& url, Deadline deadline, const std::string& application)
    : name_(name_of(url)) {
    // What comes later wins; the URL is expanded where "dbname" stands.
    const char* const keywords[] = {"fallback_application_name", "dbname", "client_encoding", nullptr};
    const char* const values[] = {application.c_str(), url.c_str(), "UTF8", nullptr};
    connection_ = PQconnectStartParams(keywords, values, 1);
    if (connection_ == nullptr) throw Error(System::internal, ErrorKind::internal, "Out of memory in libpq.");
    const bool failed_at_once = PQstatus(connection_) == CONNECTION_BAD;
    try {
        PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);  // the only way to the SQLSTATE of a refusal
        PostgresPollingStatusType state = PGRES_POLLING_WRITING;
        while (state != PGRES_POLLING_OK && PQstatus(connection_) != CONNECTION_BAD) {
            if (state == PGRES_POLLING_FAILED) break;
            wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, "accept a connection");
            state = PQconnectPoll(connection_);
        }
        if (PQstatus(connection_) != CONNECTION_OK) {
            const std::string verbose = PQerrorMessage(connection_);
            const auto sqlstate = sqlstate_in(verbose);
            const auto kind = [&] {
                if (!sqlstate.empty()) return kind_of_sqlstate(sqlstate);
                if (PQconnectionNeedsPassword(connection_) != 0) return ErrorKind::authentication;
                // Where libpq asks nobody a parameter has a value that it does not know.
                const bool asks_nobody =
                    failed_at_once && PQpingParams(keywords, values, 1) == PQPING_NO_ATTEMPT;
                return asks_nobody ? ErrorKind::usage : ErrorKind::unreachable;
            }();
            // The first line says it; after it verbose words name lines of the server's source.
            auto words = verbose.substr(0, verbose.find('\n'));
            if (!sqlstate.empty()) {
                if (const auto at = words.find(sqlstate + ": "); at != std::string::npos) {
                    words = words.substr(at + sqlstate.size() + 2);
                }
            }
            // libpq quotes what it took for a host or a parameter, which may be a part of the password.
            const auto told = !sqlstate.empty() || understood_address(url)
                                  ? one_line(words)
                                  : "encode what has a meaning in URLs (a '/' in a password is %2F)";
            throw Error(System::postgres, kind,
                        fmt::format("No connection to {}: {}.{}", name_, told, advice(kind, sqlstate)),
                        sqlstate);
        }
        open_secret_host_ = open_secret_host_of(connection_);
        PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
        PQsetnonblocking(connection_, 1);
        PQsetNoticeProcessor(
            connection_, [](void*, const char*) {}, nullptr);
        look_around(deadline);
    } catch (...) {
        close();
        throw;
    }
}

/// A pooler makes up the number of the process that it tells; the server's own answer differs. A session that
/// is ours alone gets its settings once: none of its user's time-outs, and a statement whose client was
/// killed or gave up ends soon, not when it is through.
void Connection::look_around(Deadline deadline) {
    // PostgreSQL 13 can't notice; callers are still to be told that it is too old.
    const std::string_view notice =
        server_version() < 140'000 ? "" : "set_config('client_connection_check_interval', '2s', false) || ";
    const auto seen = exec(
        fmt::format("SELECT pg_backend_pid() = {0}, current_setting('transaction_read_only') = 'on', CASE "
                    "WHEN pg_backend_pid() = {0} THEN {1}set_config('statement_timeout', '0', false) || "
                    "set_config('lock_timeout', '0', false) END",
                    PQbackendPID(connection_), notice),
        deadline);
    pooled_ = seen.value(0, 0) != "t";
    has_settings_ = !pooled_;
    read_only_ = seen.value(0, 1) == "t";
}

void require_writable(const Connection& connection) {
    if (!connection.read_only()) return;
    throw Error(System::postgres, ErrorKind::not_ready,
                fmt::format("{} can only be read: it is a standby, or its user or database is set so "
                            "(default_transaction_read_only). Name the primary in DATABASE_URL.",
                            connection.name()));
}

Connection::~Connection() {
    close();
}

void Connection::close() {
    if (connection_ != nullptr) PQfinish(connection_);
    connection_ = nullptr;
}

bool Connection::in_transaction() const {
    if (connection_ == nullptr) return false;
    const auto state = PQtransactionStatus(connection_);
    return state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
}

int Connection::server_version() const {
    return connection_ == nullptr ? 0 : PQserverVersion(connection_);
}

void Connection::lost(std::string_view what) {
    const auto words = one_line(connection_ == nullptr ? "it had ended before" : PQerrorMessage(connection_));
    close();
    throw Error(System::postgres, ErrorKind::unreachable,
                fmt::format("Lost the connection to {} {}: {}.{}", name_, what,
                            words.empty() ? "it was closed" : words, advice(ErrorKind::unreachable, "")),
                "08006");
}

void Connection::late(std::string_view what) {
    close();
    throw Error(
        System::postgres, ErrorKind::timeout,
        fmt::format("{} did not {} in time. See what it is busy with (pg_stat_activity), then try again.",
                    name_, what),
        "08006");
}

void Connection::wait(short events, Deadline deadline, std::string_view what) {
    for (;;) {
        pollfd descriptor{PQsocket(connection_), events, 0};
        if (descriptor.fd < 0) lost("while it was made");
        const auto left = deadline.remaining().count();
        const int ready = poll(&descriptor, 1, static_cast<int>(std::min<long long>(left, 1'000'000)));
        if (ready > 0) return;
        if (ready < 0 && errno != EINTR) lost("while waiting for it");
        if (deadline.passed()) late(what);
    }
}

void Connection::flush(Deadline deadline) {
    for (;;) {
        const int left = PQflush(connection_);
        if (left == 0) return;
        if (left < 0) lost("while sending");
        wait(POLLIN | POLLOUT, deadline, "take what was sent");
        // It may have to say something before it reads on.
        if (PQconsumeInput(connection_) == 0) lost("while sending");
    }
}

void Connection::send(bool sent, Deadline deadline) {
    if (!sent) lost("while sending");
    flush(deadline);
}

std::unique_ptr<pg_result, Result::Free> Connection::next_result(Deadline deadline) {
    if (pending_) return std::move(pending_);
    while (PQisBusy(connection_) == 1) {
        wait(POLLIN, deadline, "answer");
        if (PQconsumeInput(connection_) == 0) lost("while waiting for an answer");
    }
    return std::unique_ptr<pg_result, Result::Free>(PQgetResult(connection_));
}

std::optional<Error> Connection::failure_in(const pg_result* result) {
    const auto status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
        return std::nullopt;
    }
    const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (PQstatus(connection_) == CONNECTION_BAD && code == nullptr) lost("while waiting for an answer");
    const char* words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const std::string sqlstate = code == nullptr ? "" : code;
    const auto kind = sqlstate.empty() ? ErrorKind::protocol : kind_of_sqlstate(sqlstate);
    return Error(System::postgres, kind,
                 fmt::format("{} refused: {}.{}", name_,
                             one_line(words == nullptr ? PQresultErrorMessage(result) : words),
                             advice(kind, sqlstate)),
                 sqlstate);
}

void Connection::fail(const Error& failure) {
    if (failure.kind() == ErrorKind::unreachable || PQstatus(connection_) == CONNECTION_BAD) close();
    throw failure;
}

Result Connection::finish(Deadline deadline) {
    Result last;
    std::optional<Error> failure;
    while (auto result = next_result(deadline)) {
        if (PQresultStatus(result.get()) == PGRES_COPY_IN) {
            if (failure) {
                PQputCopyEnd(connection_, "an earlier statement failed");
                continue;
            }
            last.result_ = std::move(result);
            return last;
        }
        auto failed = failure_in(result.get());
        if (!failed) {
            last.result_ = std::move(result);
        } else if (!failure) {
            failure = std::move(failed);
        }
    }
    if (failure) fail(*failure);
    if (!last.result_) lost("while waiting for an answer");
    return last;
}

Result Connection::exec(const std::string& sql, Deadline deadline) {
    if (connection_ == nullptr) lost("before a statement");
    const auto sent = needs_own_settings() ? PQsendQuery(connection_, (std::string(kSettings) + sql).c_str())
                                           : PQsendQuery(connection_, sql.c_str());
    send(sent == 1, deadline);
    return finish(deadline);
}

/// Parameters as libpq wants them.
struct Connection::Arrays {
    explicit Arrays(std::span<const Parameter> parameters) {
        for (const auto& parameter : parameters) {
            if (!parameter.is_binary && parameter.bytes) texts.emplace_back(*parameter.bytes);
        }
        std::size_t next = 0;
        for (const auto& parameter : parameters) {
            // Text has to end in a zero byte, binary need not.
            values.push_back(!parameter.bytes ? nullptr
                             : parameter.is_binary
                                 ? (parameter.bytes->data() == nullptr ? "" : parameter.bytes->data())
                                 : texts[next++].c_str());
            lengths.push_back(parameter.bytes ? static_cast<int>(parameter.bytes->size()) : 0);
            formats.push_back(parameter.is_binary ? 1 : 0);
        }
    }
    int count() const { return static_cast<int>(values.size()); }

    std::vector<std::string> texts;
    std::vector<const char*> values;
    std::vector<int> lengths, formats;
};

Result Connection::exec(const std::string& sql, std::span<const Parameter> parameters, Deadline deadline,
                        Format format) {
    if (connection_ == nullptr) lost("before a statement");
    const Arrays arrays(parameters);
    if (needs_own_settings()) return exec_with_settings(sql, arrays, deadline, format);
    send(PQsendQueryParams(connection_, sql.c_str(), arrays.count(), nullptr, arrays.values.data(),
                           arrays.lengths.data(), arrays.formats.data(),
                           format == Format::binary ? 1 : 0) == 1,
         deadline);
    return finish(deadline);
}

/// Both statements go in one message, and are one transaction.
Result Connection::exec_with_settings(const std::string& sql, const Arrays& arrays, Deadline deadline,
                                      Format format) {
    const bool sent =
        PQenterPipelineMode(connection_) == 1 &&
        PQsendQueryParams(connection_, kSettingsStatement, 0, nullptr, nullptr, nullptr, nullptr, 0) == 1 &&
        PQsendQueryParams(connection_, sql.c_str(), arrays.count(), nullptr, arrays.values.data(),
                          arrays.lengths.data(), arrays.formats.data(),
                          format == Format::binary ? 1 : 0) == 1 &&
        PQpipelineSync(connection_) == 1;
    send(sent, deadline);
    Result last;
    std::optional<Error> failure;
    for (;;) {
        auto result = next_result(deadline);
        if (!result) {  // the end of one statement's results
            if (PQstatus(connection_) != CONNECTION_BAD) continue;
            if (failure) fail(*failure);
            lost("while waiting for an answer");
        }
        const auto status = PQresultStatus(result.get());
        if (status == PGRES_PIPELINE_SYNC) break;
        if (status == PGRES_PIPELINE_ABORTED) continue;  // what came before it has failed
        auto failed = failure_in(result.get());
        if (!failed) {
            last.result_ = std::move(result);
        } else if (!failure) {
            failure = std::move(failed);
        }
    }
    if (PQexitPipelineMode(connection_) != 1 || (!failure && !last.result_)) {
        lost("while waiting for an answer");
    }
    if (failure) fail(*failure);
    return last;
}

void Connection::prepare(const std::string& name, const std::string& sql, Deadline deadline) {
    if (connection_ == nullptr) lost("before a statement");
    if (pooled_) {
        unprepared_[name] = sql;
        return;
    }
    send(PQsendPrepare(connection_, name.c_str(), sql.c_str(), kOidUnknown, nullptr) == 1, deadline);
    finish(deadline);
}

Result Connection::exec_prepared(const std::string& name, std::span<const Parameter> parameters,
                                 Deadline deadline, Format format) {
    if (connection_ == nullptr) lost("before a statement");
    if (pooled_) return exec(unprepared_.at(name), parameters, deadline, format);
    const Arrays arrays(parameters);
    send(PQsendQueryPrepared(connection_, name.c_str(), arrays.count(), arrays.values.data(),
                             arrays.lengths.data(), arrays.formats.data(),
                             format == Format::binary ? 1 : 0) == 1,
         deadline);
    return finish(deadline);
}

void Connection::stream(const std::string& sql, std::span<const Parameter> parameters, Deadline deadline,
                        const std::function<void(const Result&)>& on_row) {
    if (connection_ == nullptr) lost("before a statement");
    const Arrays arrays(parameters);
    send(PQsendQueryParams(connection_, sql.c_str(), arrays.count(), nullptr, arrays.values.data(),
                           arrays.lengths.data(), arrays.formats.data(), 1) == 1,
         deadline);
    PQsetSingleRowMode(connection_);
    try {
        for (;;) {
            auto next = next_result(deadline);
            if (!next) lost("while reading rows");
            Result row;
            row.result_ = std::move(next);
            if (PQresultStatus(row.result_.get()) != PGRES_SINGLE_TUPLE) {
                pending_ = std::move(row.result_);
                break;
            }
            on_row(row);
        }
    } catch (...) {
        // Rows may still be under way, which would be taken for those of the next statement.
        close();
        throw;
    }
    finish(deadline);
}

void Connection::begin_copy(const std::string& sql, Deadline deadline) {
    if (connection_ == nullptr) lost("before a statement");
    send(PQsendQuery(connection_, sql.c_str()) == 1, deadline);
    const auto result = finish(deadline);
    if (PQresultStatus(result.result_.get()) != PGRES_COPY_IN) {
        throw Error(System::internal, ErrorKind::internal, "begin_copy() was given no COPY … FROM STDIN.");
    }
}

void Connection::copy_data(std::string_view bytes, Deadline deadline) {
    if (connection_ == nullptr) lost("during COPY");
    constexpr std::size_t kPiece = 1 << 18;  // so that libpq's own buffer stays small
    while (!bytes.empty()) {
        const auto piece = bytes.substr(0, kPiece);
        bytes.remove_prefix(piece.size());
        const int taken = PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size()));
        if (taken < 0) lost("during COPY");
        flush(deadline);
        if (taken == 0) throw Error(System::internal, ErrorKind::internal, "libpq took no COPY data.");
    }
}

std::int64_t Connection::end_copy(Deadline deadline) {
    if (connection_ == nullptr) lost("during COPY");
    send(PQputCopyEnd(connection_, nullptr) == 1, deadline);
    return finish(deadline).affected();
}

Transaction::~Transaction() {
    if (!open_ || !connection_.in_transaction()) return;
    try {
        connection_.exec("ROLLBACK", Deadline::after(std::chrono::seconds(10)));
    } catch (const Error&) {
        // A session that is over has been rolled back by the server.
    }
}

void Transaction::commit(Deadline deadline) {
    open_ = false;
    connection_.exec("COMMIT", deadline);
}

}  // namespace crossover::postgres
