#pragma once

#include <memory>
#include <string>

#include "bolt/driver.h"
#include "milvus/client.h"
#include "redis/connection.h"
#include "settings/settings.h"
#include "sync/mapping.h"

namespace crossover::cli {

/// Clients made from settings; nothing connects yet. Throw Error(usage) where a server is not configured,
/// naming the setting, or its address can't be meant.
std::unique_ptr<bolt::Driver> make_driver(const Settings& settings);
std::unique_ptr<milvus::Client> make_client(const Settings& settings);

/// Of REDIS_URL, with the authorities to trust. Throws likewise.
redis::Address redis_address(const Settings& settings);

/// "bolt://host:port/database", "http://host:port/database": for messages and the job's identity. Throw
/// likewise.
std::string source_address(const Settings& settings);
std::string target_address(const Settings& settings);

/// Properties by name, types to be inferred.
sync::MediaMapping make_mapping(const Settings& settings);

}  // namespace crossover::cli
