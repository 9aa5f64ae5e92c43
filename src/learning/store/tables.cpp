#include "learning/store/tables.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

#include "learning/store/copy_encoding.h"
#include "learning/store/lease.h"
#include "learning/store/session.h"

namespace crossover::learning {
namespace {

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t number = 0;
    for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
    return number;
}
std::int64_t integer_of(std::string_view bytes) {
    return static_cast<std::int64_t>(big_endian(bytes));
}
std::optional<std::int64_t> optional_integer(const postgres::Result& result, std::size_t row,
                                             std::size_t column) {
    if (result.is_null(row, column)) return std::nullopt;
    return integer_of(result.value(row, column));
}
std::optional<std::int64_t> optional_time(const postgres::Result& result, std::size_t row,
                                          std::size_t column) {
    if (result.is_null(row, column)) return std::nullopt;
    return from_postgres_time(integer_of(result.value(row, column)));
}
Digest digest_at(const postgres::Result& result, std::size_t row, std::size_t column) {
    return {integer_of(result.value(row, column)), optional_integer(result, row, column + 1),
            optional_time(result, row, column + 2)};
}

std::string stage_of(Kind kind) {
    return fmt::format("stage_{}", table_of(kind));
}

constexpr const char* kPrimary = "SELECT primary_store FROM agentdb_state";
/// The locks hold a handover, and who would take the copy's lease, back until the transaction ends. Without
/// statistics of a table that was just filled, a look-up by key would read all of it; and plans that only
/// seem dear then would be compiled, for 20 ms each.
std::string begin_as_copy(const std::string& holder) {
    return fmt::format(
        "{}; SET LOCAL synchronous_commit = off; SET LOCAL enable_seqscan = off; SET LOCAL jit = off; WITH "
        "held AS ({}) SELECT primary_store, EXISTS (SELECT FROM held) FROM agentdb_state FOR SHARE",
        postgres::kBegin, lease_condition(LeaseName::copy, holder));
}

/// `state` is the answer to kPrimary, or to begin_as_copy.
void refuse_other_primary(const postgres::Connection& connection, const postgres::Result& state) {
    if (state.rows() == 1 && state.value(0, 0) == "redis") return;
    const auto store = state.rows() == 1 ? std::string(state.value(0, 0)) : "unknown";
    throw Error(
        System::postgres, ErrorKind::not_ready,
        store == "moving"
            ? fmt::format(
                  "A handover between Redis and {} is under way, and nothing may be copied meanwhile. "
                  "Try again when the engines have ended it (/status).",
                  connection.name())
            : fmt::format("{} is the primary of the learning state, and a copy from Redis would bring back "
                          "what is old. To go back to Redis use 'migrate migrate-agentdb --reverse'.",
                          connection.name()));
}

/// Rolls back unless committed.
class CopyTransaction {
  public:
    CopyTransaction(postgres::Connection& connection, const std::string& holder) : connection_(connection) {
        try {
            const auto state = connection.exec(begin_as_copy(holder), call_deadline());
            refuse_other_primary(connection, state);
            if (state.value(0, 1) != "t") throw copy_taken_over(connection.name());
        } catch (...) {
            roll_back();
            throw;
        }
    }
    ~CopyTransaction() { roll_back(); }
    CopyTransaction(const CopyTransaction&) = delete;
    CopyTransaction& operator=(const CopyTransaction&) = delete;
    void commit() { connection_.exec("COMMIT", call_deadline()); }

  private:
    void roll_back() noexcept {
        if (!connection_.in_transaction()) return;
        try {
            connection_.exec("ROLLBACK", Deadline::after(std::chrono::seconds(10)));
        } catch (const Error&) {
            // The session is over, and the server rolls back.
        }
    }
    postgres::Connection& connection_;
};

/// A large batch has more time.
Deadline copy_deadline(std::size_t bytes) {
    return Deadline::after(std::chrono::seconds(60) + std::chrono::milliseconds(bytes >> 10));
}

void copy_into(postgres::Connection& connection, const std::string& table, const EncodedRows& rows,
               std::size_t from, std::size_t to) {
    const std::size_t begin = from == 0 ? 0 : rows.ends[from - 1];
    const auto bytes = std::string_view(rows.bytes).substr(begin, rows.ends[to - 1] - begin);
    const auto deadline = copy_deadline(bytes.size());
    connection.begin_copy(
        fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", table, columns_of(rows.kind)), deadline);
    connection.copy_data(copy_header(), deadline);
    connection.copy_data(bytes, deadline);
    connection.copy_data(copy_trailer(), deadline);
    connection.end_copy(deadline);
}

std::string assignments(Kind kind) {
    std::string all;
    auto columns = columns_of(kind);
    while (!columns.empty()) {
        const auto comma = std::min(columns.find(", "), columns.size());
        const auto name = columns.substr(0, comma);
        columns.remove_prefix(std::min(comma + 2, columns.size()));
        if (name == "redis_key") continue;
        all += fmt::format("{}{} = EXCLUDED.{}", all.empty() ? "" : ", ", name, name);
    }
    return all;
}

/// A newer version wins. At the same version the content is the same, but for legacy values (0), whose hash
/// tells; the expiry may have been set since.
constexpr const char* kReplaces =
    "(t.version < EXCLUDED.version OR (t.version = EXCLUDED.version AND (t.expires_at IS DISTINCT FROM "
    "EXCLUDED.expires_at OR (t.version = 0 AND t.content_hash IS DISTINCT FROM EXCLUDED.content_hash))))";

std::int64_t merge_stage(postgres::Connection& connection, Kind kind,
                         const std::function<void(std::string_view key)>& lost) {
    const auto table = table_of(kind);
    const auto stage = stage_of(kind);
    const auto columns = columns_of(kind);
    if (kind != Kind::q_value) {
        return connection
            .exec(fmt::format("INSERT INTO {} AS t ({}) SELECT {} FROM {} ON CONFLICT (redis_key) DO UPDATE "
                              "SET {} WHERE {}",
                              table, columns, columns, stage, assignments(kind), kReplaces),
                  copy_deadline(0))
            .affected();
    }
    // A Q value has two identities: its key in Redis, and agent, state and action. A key that came to mean
    // another triple gives up its former row; of two keys with one triple the first that came keeps it.
    connection.exec(
        fmt::format(
            "DELETE FROM {0} t USING {1} s WHERE t.redis_key = s.redis_key AND t.version <= s.version "
            "AND (t.agent_id, t.state_hash, t.action) <> (s.agent_id, s.state_hash, s.action)",
            table, stage),
        copy_deadline(0));
    const auto written =
        connection
            .exec(fmt::format("INSERT INTO {0} AS t ({2}) SELECT DISTINCT ON (agent_id, state_hash, action) "
                              "{2} FROM {1} s "
                              "WHERE NOT EXISTS (SELECT FROM {0} o WHERE o.redis_key = s.redis_key AND "
                              "(o.agent_id, o.state_hash, o.action) <> (s.agent_id, s.state_hash, s.action)) "
                              "ORDER BY agent_id, state_hash, action, redis_key "
                              "ON CONFLICT (agent_id, state_hash, action) DO UPDATE SET {3} "
                              "WHERE t.redis_key = EXCLUDED.redis_key AND {4}",
                              table, stage, columns, assignments(kind), kReplaces),
                  copy_deadline(0))
            .affected();
    const auto without =
        connection.exec(fmt::format("SELECT s.redis_key FROM {1} s WHERE NOT EXISTS (SELECT FROM {0} t WHERE "
                                    "t.redis_key = s.redis_key)",
                                    table, stage),
                        {}, copy_deadline(0), postgres::Format::binary);
    for (std::size_t i = 0; i < without.rows(); ++i) lost(without.value(i, 0));
    return written;
}

/// Something in the rows themselves.
bool is_about_data(const Error& error) {
    const auto& state = error.native_code();
    return state.starts_with("22") || state.starts_with("54") || state == "23502" || state == "23514" ||
           state == "42804" || state == "08P01" || state == "XX000";
}

std::string refusal_text(const Error& error) {
    const std::string_view words = error.what();
    const auto at = words.find(" refused: ");
    return fmt::format("PostgreSQL refuses it: {}",
                       at == std::string_view::npos ? words : words.substr(at + 10));
}

/// The temporary table has the name of the real one, for what PostgreSQL says of it.
void try_rows(postgres::Connection& connection, const EncodedRows& rows, std::size_t from, std::size_t to,
              std::vector<Refusal>& refusals) {
    if (from == to) return;
    try {
        const postgres::Transaction rolled_back(connection, call_deadline());
        connection.exec(
            fmt::format("CREATE TEMP TABLE {0} (LIKE {0} INCLUDING CONSTRAINTS INCLUDING DEFAULTS "
                        "INCLUDING GENERATED INCLUDING INDEXES) ON COMMIT DROP",
                        table_of(rows.kind)),
            call_deadline());
        copy_into(connection, fmt::format("pg_temp.{}", table_of(rows.kind)), rows, from, to);
        return;
    } catch (const Error& error) {
        // Two of the rows have one identity, which speaks against neither.
        const bool doubled = error.native_code() == "23505";
        if (!(doubled || is_about_data(error)) || !connection.usable()) throw;
        if (to - from == 1) {
            refusals.push_back({from, refusal_text(error)});
            return;
        }
    }
    const auto middle = from + (to - from) / 2;
    try_rows(connection, rows, from, middle, refusals);
    try_rows(connection, rows, middle, to, refusals);
}

class RowWriter {
  public:
    RowWriter(postgres::Connection& connection, const std::string& holder, const EncodedRows& rows,
              const OnRefused& refused)
        : connection_(connection), holder_(holder), rows_(rows), refused_(refused) {}

    std::int64_t write(std::size_t from, std::size_t to, bool upsert) {
        if (from == to) return 0;
        try {
            return upsert ? merge(from, to) : insert(from, to);
        } catch (const Error& error) {
            if (error.native_code() == "23505" && !upsert) return write(from, to, true);
            if (!is_about_data(error) || !connection_.usable()) throw;
            if (to - from == 1) {
                refused_(from, refusal_text(error));
                return 0;
            }
        }
        const auto middle = from + (to - from) / 2;
        return write(from, middle, upsert) + write(middle, to, upsert);
    }

  private:
    std::int64_t insert(std::size_t from, std::size_t to) {
        CopyTransaction transaction(connection_, holder_);
        copy_into(connection_, std::string(table_of(rows_.kind)), rows_, from, to);
        transaction.commit();
        return static_cast<std::int64_t>(to - from);
    }

    std::int64_t merge(std::size_t from, std::size_t to) {
        std::vector<std::string> lost;
        std::int64_t written = 0;
        {
            CopyTransaction transaction(connection_, holder_);
            connection_.exec(fmt::format("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DROP",
                                         stage_of(rows_.kind), table_of(rows_.kind)),
                             call_deadline());
            copy_into(connection_, stage_of(rows_.kind), rows_, from, to);
            written =
                merge_stage(connection_, rows_.kind, [&](std::string_view key) { lost.emplace_back(key); });
            transaction.commit();
        }
        for (auto i = from; i < to; ++i) {
            for (const auto& key : lost) {
                if (rows_.keys[i] == key) refused_(i, std::string(kDoubled));
            }
        }
        return written;
    }

    postgres::Connection& connection_;
    const std::string& holder_;
    const EncodedRows& rows_;
    const OnRefused& refused_;
};

/// Rows whose keys are in $1, looked up one by one: what the planner believes of a table that was just filled
/// does not matter.
std::string by_key(Kind kind, std::string_view columns) {
    return fmt::format(
        "SELECT found.* FROM unnest($1::bytea[]) AS wanted(key) CROSS JOIN LATERAL (SELECT {} "
        "FROM {} WHERE redis_key = wanted.key OFFSET 0) AS found",
        columns, table_of(kind));
}

std::string_view all_columns(Kind kind) {
    return columns_of(kind);
}

/// JSONB in binary form begins with a version.
std::string_view json_at(const postgres::Result& result, std::size_t row, std::size_t column) {
    auto value = result.value(row, column);
    if (!value.empty()) value.remove_prefix(1);
    return value;
}

Row row_at(const postgres::Result& result, std::size_t i, Kind kind) {
    Row row;
    row.clear(kind);
    row.key = result.value(i, 0);
    row.agent_id = result.value(i, 1);
    std::size_t tail = 0;
    switch (kind) {
        case Kind::experience:
            row.state = json_at(result, i, 2);
            row.action = json_at(result, i, 3);
            row.number = std::bit_cast<double>(big_endian(result.value(i, 4)));
            row.has_next_state = !result.is_null(i, 5);
            row.next_state = json_at(result, i, 5);
            row.done = result.value(i, 6) != std::string_view("\0", 1);
            row.occurred_at_us = from_postgres_time(integer_of(result.value(i, 7)));
            row.extra = json_at(result, i, 8);
            tail = 9;
            break;
        case Kind::q_value:
            row.state_hash = result.value(i, 2);
            row.action = result.value(i, 3);
            row.number = std::bit_cast<double>(big_endian(result.value(i, 4)));
            row.visits = integer_of(result.value(i, 5));
            row.extra = json_at(result, i, 6);
            tail = 7;
            break;
        case Kind::policy:
            row.body = result.value(i, 2);
            tail = 3;
            break;
        case Kind::agent:
            row.body = json_at(result, i, 2);
            tail = 3;
            break;
    }
    const auto digest = digest_at(result, i, tail);
    row.version = digest.version;
    row.content_hash = digest.content_hash;
    row.expires_at_us = digest.expires_at_us;
    return row;
}

}  // namespace

void make_durable(postgres::Connection& connection) {
    connection.exec(
        fmt::format("{}; SET LOCAL synchronous_commit = on; SELECT txid_current(); COMMIT", postgres::kBegin),
        call_deadline());
}

void require_redis_primary(postgres::Connection& connection) {
    refuse_other_primary(connection, connection.exec(kPrimary, call_deadline()));
}

Digests read_digests(postgres::Connection& connection, Kind kind, std::span<const std::string_view> keys) {
    Digests digests;
    if (keys.empty()) return digests;
    digests.reserve(keys.size());
    const auto array = postgres::bytea_array(keys);
    postgres::Transaction transaction(connection, call_deadline());
    const auto result =
        connection.exec(by_key(kind, "redis_key, version, content_hash, expires_at"),
                        {postgres::Parameter::binary(array)}, call_deadline(), postgres::Format::binary);
    for (std::size_t i = 0; i < result.rows(); ++i) {
        digests.emplace(std::string(result.value(i, 0)), digest_at(result, i, 1));
    }
    transaction.commit(call_deadline());
    return digests;
}

void EncodedRows::add(const Row& row) {
    encode_row(row, bytes);
    ends.push_back(bytes.size());
    keys.push_back(row.key);
}

void EncodedRows::clear(Kind of) {
    kind = of;
    // A batch of large values must not be held on to.
    if (bytes.capacity() > (4 << 20)) bytes = {};
    bytes.clear();
    ends.clear();
    keys.clear();
}

std::int64_t write_rows(postgres::Connection& connection, const std::string& holder, const EncodedRows& rows,
                        bool upsert, const OnRefused& refused) {
    return RowWriter(connection, holder, rows, refused).write(0, rows.size(), upsert);
}

std::vector<Refusal> refusals_of(postgres::Connection& connection, const EncodedRows& rows) {
    std::vector<Refusal> refusals;
    try_rows(connection, rows, 0, rows.size(), refusals);
    return refusals;
}

std::vector<KeyedDigest> page_of_keys(postgres::Connection& connection, Kind kind,
                                      const std::optional<std::string>& after, std::size_t limit) {
    postgres::Transaction transaction(connection, call_deadline());
    const auto result = connection.exec(
        fmt::format("SELECT redis_key, version, content_hash, expires_at FROM {} WHERE "
                    "redis_key >{} $1 ORDER BY redis_key "
                    "LIMIT {}",
                    table_of(kind), after ? "" : "=", limit),
        {postgres::Parameter::binary(after ? std::string_view(*after) : std::string_view(""))},
        call_deadline(), postgres::Format::binary);
    std::vector<KeyedDigest> page;
    page.reserve(result.rows());
    for (std::size_t i = 0; i < result.rows(); ++i) {
        page.push_back({std::string(result.value(i, 0)), digest_at(result, i, 1)});
    }
    transaction.commit(call_deadline());
    return page;
}

std::int64_t delete_unchanged(postgres::Connection& connection, const std::string& holder, Kind kind,
                              std::span<const KeyedDigest> rows) {
    if (rows.empty()) return 0;
    std::vector<std::string_view> keys;
    std::string versions = "{", hashes = "{";
    for (const auto& row : rows) {
        keys.push_back(row.key);
        const char* comma = keys.size() > 1 ? "," : "";
        versions += fmt::format("{}{}", comma, row.digest.version);
        hashes += comma +
                  (row.digest.content_hash ? std::to_string(*row.digest.content_hash) : std::string("NULL"));
    }
    versions += '}';
    hashes += '}';
    const auto array = postgres::bytea_array(keys);
    CopyTransaction transaction(connection, holder);
    const auto deleted =
        connection
            .exec(fmt::format(
                      "DELETE FROM {} t USING unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS g(k, v, h) "
                      "WHERE "
                      "t.redis_key = g.k AND t.version = g.v AND t.content_hash IS NOT DISTINCT FROM g.h",
                      table_of(kind)),
                  {postgres::Parameter::binary(array), versions, hashes}, call_deadline())
            .affected();
    transaction.commit();
    return deleted;
}

std::int64_t delete_expired(postgres::Connection& connection, const std::string& holder, Kind kind,
                            std::int64_t now_ms) {
    CopyTransaction transaction(connection, holder);
    const auto deleted =
        connection
            .exec(
                fmt::format(
                    "DELETE FROM {} WHERE expires_at <= 'epoch'::timestamptz + {} * interval '1 millisecond'",
                    table_of(kind), now_ms),
                Deadline::after(std::chrono::minutes(10)))
            .affected();
    transaction.commit();
    return deleted;
}

std::int64_t count_rows(postgres::Connection& connection, Kind kind) {
    const auto deadline = Deadline::after(std::chrono::minutes(10));
    postgres::Transaction transaction(connection, deadline);
    const auto rows =
        connection.exec(fmt::format("SELECT count(*) FROM {}", table_of(kind)), deadline).integer(0, 0);
    transaction.commit(deadline);
    return rows;
}

std::vector<Row> read_rows(postgres::Connection& connection, Kind kind,
                           std::span<const std::string_view> keys) {
    std::vector<Row> rows;
    if (keys.empty()) return rows;
    const auto array = postgres::bytea_array(keys);
    postgres::Transaction transaction(connection, call_deadline());
    const auto result = connection.exec(by_key(kind, all_columns(kind)), {postgres::Parameter::binary(array)},
                                        call_deadline(), postgres::Format::binary);
    for (std::size_t i = 0; i < result.rows(); ++i) rows.push_back(row_at(result, i, kind));
    transaction.commit(call_deadline());
    return rows;
}

std::vector<std::size_t> held_by_other_keys(postgres::Connection& connection, std::span<const Row> q_values,
                                            std::int64_t now_us) {
    std::vector<std::string_view> agents, states, actions, keys;
    for (const auto& row : q_values) {
        agents.emplace_back(row.agent_id);
        states.emplace_back(row.state_hash);
        actions.emplace_back(row.action);
        keys.emplace_back(row.key);
    }
    const auto agent_array = postgres::text_array(agents), state_array = postgres::text_array(states),
               action_array = postgres::text_array(actions), key_array = postgres::bytea_array(keys);
    const auto found = connection.exec(
        fmt::format("SELECT g.n - 1 FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) WITH "
                    "ORDINALITY AS g(agent, state, action, key, n) CROSS JOIN LATERAL (SELECT redis_key, "
                    "expires_at FROM q_values q WHERE q.agent_id = g.agent AND q.state_hash = g.state AND "
                    "q.action = g.action OFFSET 0) AS held WHERE held.redis_key <> g.key AND (expires_at IS "
                    "NULL OR expires_at > 'epoch'::timestamptz + {} * interval '1 microsecond')",
                    now_us),
        {postgres::Parameter::binary(agent_array), postgres::Parameter::binary(state_array),
         postgres::Parameter::binary(action_array), postgres::Parameter::binary(key_array)},
        call_deadline());
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < found.rows(); ++i)
        rows.push_back(static_cast<std::size_t>(found.integer(i, 0)));
    return rows;
}

void stream_rows(postgres::Connection& connection, Kind kind, const std::optional<std::string>& after,
                 std::size_t limit, const std::function<void(Row&&)>& on_row) {
    const std::array<postgres::Parameter, 1> parameters{
        postgres::Parameter::binary(after ? std::string_view(*after) : std::string_view(""))};
    const auto deadline = Deadline::after(std::chrono::minutes(10));
    postgres::Transaction transaction(connection, deadline);
    connection.stream(fmt::format("SELECT {} FROM {} WHERE redis_key >{} $1 ORDER BY redis_key LIMIT {}",
                                  all_columns(kind), table_of(kind), after ? "" : "=", limit),
                      parameters, deadline,
                      [&](const postgres::Result& result) { on_row(row_at(result, 0, kind)); });
    transaction.commit(deadline);
}

}  // namespace crossover::learning
