#pragma once

#include <functional>
#include <string>

#include "core/error.h"
#include "engine/engine.h"
#include "http/router.h"

namespace crossover::service {

/// The routes of docs/api/openapi.yaml on an engine, which must outlive them. `mode_from` says where the
/// storage mode comes from, for a person.
http::Router make_api(engine::Engine& engine, std::function<std::string()> mode_from);

}  // namespace crossover::service
