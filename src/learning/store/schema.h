#pragma once

#include "postgres/connection.h"

/// The tables of AgentDB in PostgreSQL, and how they come to be.
namespace crossover::learning {

/// The newest schema that this program knows.
inline constexpr int kSchemaVersion = 2;

/// 0 = there is none. Reads only.
int schema_version(postgres::Connection& connection, Deadline deadline);

/// Brings the schema to kSchemaVersion, in one transaction under an advisory lock: may be called at any time,
/// by several at once. Where nothing is to be done it needs no right to create tables. Makes secondary
/// indexes that an interrupted copy had not made yet. Throws `not_ready` where the schema is newer than
/// kSchemaVersion, or the database's encoding is not UTF8.
void migrate_schema(postgres::Connection& connection, Deadline deadline);

/// Throws `not_ready`, saying what to do, where the schema is not exactly kSchemaVersion.
void require_schema(postgres::Connection& connection, Deadline deadline);

/// A first copy is faster without the secondary indexes: drop before it, create after it.
void drop_secondary_indexes(postgres::Connection& connection, Deadline deadline);
void create_secondary_indexes(postgres::Connection& connection, Deadline deadline);

}  // namespace crossover::learning
