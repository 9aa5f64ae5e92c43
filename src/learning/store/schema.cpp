#include "learning/store/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace crossover::learning {
namespace {

/// One number for everybody who changes the schema ("agentdb1").
constexpr const char* kSchemaLock = "7019267256385544497";

/// Identifiers are in the order of their bytes (COLLATE "C"): compared in a fraction of the time, and their
/// indexes survive an upgrade of the system that sorts languages otherwise.
///
/// Step n brings version n - 1 to n. A step that was released is never changed.
constexpr std::array kSteps = {
    R"(
CREATE TABLE rl_experiences (
  redis_key BYTEA PRIMARY KEY, agent_id TEXT COLLATE "C" NOT NULL, state JSONB NOT NULL, action JSONB NOT NULL,
  reward DOUBLE PRECISION NOT NULL, next_state JSONB, done BOOLEAN NOT NULL, occurred_at TIMESTAMPTZ NOT NULL,
  extra JSONB, version BIGINT NOT NULL DEFAULT 0, content_hash BIGINT, expires_at TIMESTAMPTZ);
CREATE TABLE q_values (
  agent_id TEXT COLLATE "C" NOT NULL, state_hash TEXT COLLATE "C" NOT NULL,
  action TEXT COLLATE "C" NOT NULL, value DOUBLE PRECISION NOT NULL,
  visits BIGINT NOT NULL DEFAULT 0, extra JSONB, redis_key BYTEA NOT NULL UNIQUE,
  version BIGINT NOT NULL DEFAULT 0, content_hash BIGINT, expires_at TIMESTAMPTZ,
  PRIMARY KEY (agent_id, state_hash, action));
CREATE TABLE policies (
  redis_key BYTEA PRIMARY KEY, agent_id TEXT COLLATE "C" NOT NULL, policy BYTEA NOT NULL,
  version BIGINT NOT NULL DEFAULT 0, content_hash BIGINT, expires_at TIMESTAMPTZ);
CREATE TABLE agent_metadata (
  redis_key BYTEA PRIMARY KEY, agent_id TEXT COLLATE "C" NOT NULL, metadata JSONB NOT NULL,
  version BIGINT NOT NULL DEFAULT 0, content_hash BIGINT, expires_at TIMESTAMPTZ);
CREATE TABLE agentdb_state (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  primary_store TEXT NOT NULL DEFAULT 'redis' CHECK (primary_store IN ('redis', 'moving', 'postgres')),
  epoch BIGINT NOT NULL DEFAULT 0, reverse_through BIGINT, changed_at TIMESTAMPTZ NOT NULL DEFAULT now());
INSERT INTO agentdb_state DEFAULT VALUES;
COMMENT ON TABLE rl_experiences IS 'Reinforcement learning: what an agent met; redis_key is the key in Redis.';
COMMENT ON COLUMN rl_experiences.extra IS
  'Other fields; and known ones whose exact text the column cannot hold.';
)",
    R"(
CREATE TABLE agentdb_lease (name TEXT PRIMARY KEY, holder TEXT, held_until TIMESTAMPTZ NOT NULL DEFAULT now());
INSERT INTO agentdb_lease (name) VALUES ('copy'), ('handover');
COMMENT ON TABLE agentdb_lease IS 'Who copies, and who moves the primary, now.';
)"};
static_assert(kSteps.size() == kSchemaVersion);

struct Index {
    const char* name;
    const char* definition;
};
constexpr std::array kIndexes = {
    Index{"rl_experiences_agent_id_occurred_at_idx", "rl_experiences (agent_id, occurred_at DESC)"},
    Index{"rl_experiences_version_idx", "rl_experiences (version) WHERE version > 0"},
    Index{"policies_agent_id_idx", "policies (agent_id)"},
    Index{"agent_metadata_agent_id_idx", "agent_metadata (agent_id)"},
};

bool indexes_are_there(postgres::Connection& connection, Deadline deadline) {
    for (const auto& index : kIndexes) {
        if (connection.exec("SELECT to_regclass($1)", {index.name}, deadline).is_null(0, 0)) return false;
    }
    return true;
}

void refuse_newer(const postgres::Connection& connection, int version) {
    if (version <= kSchemaVersion) return;
    throw Error(
        System::postgres, ErrorKind::not_ready,
        fmt::format("The AgentDB schema in {} has version {}, and this program knows up to {}. Use the "
                    "newer release that made it.",
                    connection.name(), version, kSchemaVersion));
}

void require_utf8(postgres::Connection& connection, Deadline deadline) {
    const auto shown = connection.exec("SHOW server_encoding", deadline);
    if (shown.value(0, 0) == "UTF8") return;
    throw Error(
        System::postgres, ErrorKind::not_ready,
        fmt::format("The database {} has the encoding {}. AgentDB needs UTF8: CREATE DATABASE … ENCODING "
                    "'UTF8' TEMPLATE template0.",
                    connection.name(), shown.value(0, 0)));
}

void lock_schema(postgres::Connection& connection, Deadline deadline) {
    connection.exec(fmt::format("SELECT pg_advisory_xact_lock({})", kSchemaLock), deadline);
}

int recorded_version(postgres::Connection& connection, Deadline deadline) {
    return static_cast<int>(
        connection.exec("SELECT coalesce(max(version), 0) FROM agentdb_schema", deadline).integer(0, 0));
}

}  // namespace

int schema_version(postgres::Connection& connection, Deadline deadline) {
    if (connection.exec("SELECT to_regclass('agentdb_schema')", deadline).is_null(0, 0)) return 0;
    return recorded_version(connection, deadline);
}

void migrate_schema(postgres::Connection& connection, Deadline deadline) {
    require_utf8(connection, deadline);
    int version = schema_version(connection, deadline);
    refuse_newer(connection, version);
    if (version == kSchemaVersion && indexes_are_there(connection, deadline)) return;
    postgres::Transaction transaction(connection, deadline);
    lock_schema(connection, deadline);
    // Somebody may have been quicker, which only a statement that locks the table is sure to see: what the
    // session remembers of the catalogue may be from before the wait.
    connection.exec(
        "CREATE TABLE IF NOT EXISTS agentdb_schema (version INTEGER PRIMARY KEY,"
        " applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
        deadline);
    version = recorded_version(connection, deadline);
    refuse_newer(connection, version);
    for (; version < kSchemaVersion; ++version) {
        connection.exec(kSteps[static_cast<std::size_t>(version)], deadline);
        connection.exec("INSERT INTO agentdb_schema (version) VALUES ($1)", {std::to_string(version + 1)},
                        deadline);
    }
    for (const auto& index : kIndexes) {
        connection.exec(fmt::format("CREATE INDEX IF NOT EXISTS {} ON {}", index.name, index.definition),
                        deadline);
    }
    transaction.commit(deadline);
}

void require_schema(postgres::Connection& connection, Deadline deadline) {
    const int version = schema_version(connection, deadline);
    refuse_newer(connection, version);
    if (version == kSchemaVersion) return;
    throw Error(
        System::postgres, ErrorKind::not_ready,
        fmt::format("{} has {}. Run 'migrate migrate-agentdb', which makes the tables.", connection.name(),
                    version == 0 ? std::string("no AgentDB tables")
                                 : fmt::format("the AgentDB schema {}, not {}", version, kSchemaVersion)));
}

void drop_secondary_indexes(postgres::Connection& connection, Deadline deadline) {
    postgres::Transaction transaction(connection, deadline);
    lock_schema(connection, deadline);
    for (const auto& index : kIndexes) {
        if (std::string_view(index.definition).starts_with("rl_experiences")) {
            connection.exec(fmt::format("DROP INDEX IF EXISTS {}", index.name), deadline);
        }
    }
    transaction.commit(deadline);
}

void create_secondary_indexes(postgres::Connection& connection, Deadline deadline) {
    postgres::Transaction transaction(connection, deadline);
    lock_schema(connection, deadline);
    for (const auto& index : kIndexes) {
        connection.exec(fmt::format("CREATE INDEX IF NOT EXISTS {} ON {}", index.name, index.definition),
                        deadline);
    }
    transaction.commit(deadline);
}

}  // namespace crossover::learning
