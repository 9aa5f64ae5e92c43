#pragma once

#include <string>
#include <vector>

#include "sync/mapping.h"

namespace crossover::bolt {
class Driver;
}
namespace crossover::milvus {
class Client;
}

namespace crossover::migration {

/// Why a copy of this mapping, completed, could not begin: each with what to do. `target` is a null pointer
/// where no Milvus is to be asked.
std::vector<std::string> obstacles(bolt::Driver& source, milvus::Client* target, const std::string& database,
                                   const sync::MediaMapping& mapping);

}  // namespace crossover::migration
