#pragma once

#include <string>

#include "neo4j/lease.h"
#include "sync/mapping.h"

namespace crossover::migration {

/// What defines a migrate-embeddings job: not its speed.
struct Job {
    std::string source_address;  ///< "bolt://host:port/database"
    std::string target_address;  ///< "http://host:port/database"
    std::string database;        ///< of Neo4j
    sync::MediaMapping mapping;  ///< completed
};

/// The same for the same job, in any process.
std::string hash_of(const Job& job);
/// For a person: "MediaContent in bolt://… → media_embeddings in http://…".
std::string describe(const Job& job);

/// Of the lease of whatever writes this collection as a whole: one run of it at a time.
neo4j::LeaseName lease_name(const std::string& collection);

/// True where `completed` is what `asked` asks for, with what it leaves open filled in: types, kind of ids,
/// and a dimension of 0.
bool completes(const sync::MediaMapping& completed, const sync::MediaMapping& asked);

}  // namespace crossover::migration
