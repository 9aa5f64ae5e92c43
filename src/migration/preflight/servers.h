#pragma once

#include <string>

#include "base/error.h"

namespace crossover::bolt {
class Driver;
}
namespace crossover::milvus {
class Client;
}

namespace crossover::migration {

/// One server, asked for its version.
struct ServerState {
    System system = System::internal;
    std::string name;     ///< "Neo4j"
    std::string address;  ///< without secrets; empty where none is configured
    bool configured = false;
    bool reached = false;  ///< it answered and let us in
    std::string version;   ///< as the server said it
    std::string minimum;   ///< "5.15"
    bool new_enough = false;
    ErrorKind kind = ErrorKind::internal;  ///< of `problem`
    std::string problem;                   ///< one sentence, with what to do; empty where all is well

    bool well() const { return problem.empty() && (!configured || (reached && new_enough)); }
};

/// Each has a deadline of ten seconds and throws nothing. `address` is for messages.
ServerState check_neo4j(bolt::Driver& driver, const std::string& address, const std::string& database);
ServerState check_milvus(milvus::Client& client, const std::string& address);
/// `url` as libpq takes it.
ServerState check_postgres(const std::string& url);
/// `redis://[user]:password@host:port/number`, or `rediss://…`; `ca_file` as redis::Address has it.
ServerState check_redis(const std::string& url, const std::string& ca_file = {});
/// For a server that no setting names.
ServerState not_configured(System system);
/// For one whose settings can't be meant.
ServerState misconfigured(System system, const std::string& address, const Error& error);

/// The setting that names such a server: "NEO4J_URI".
std::string setting_of(System system);

/// True where the first numbers of `version` ("5.26.30", "v2.3.5", "2025.10.1") are at least those of
/// `minimum`. False where `version` has no number.
bool version_at_least(const std::string& version, const std::string& minimum);

}  // namespace crossover::migration
