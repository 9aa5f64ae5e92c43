#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "engine/engine.h"
#include "http/router.h"

namespace crossover::service {

/// Where the modes come from, for a person.
struct ModeOrigins {
    std::string storage;
    std::string agentdb;
};

/// The routes of docs/api/openapi.yaml on an engine, which must outlive them.
http::Router make_api(engine::Engine& engine, std::function<ModeOrigins()> mode_from);

}  // namespace crossover::service
