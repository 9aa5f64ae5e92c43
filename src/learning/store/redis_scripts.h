#pragma once

#include "learning/store/script.h"

/// The Lua scripts of RedisStore: what they are given, and what they answer, is said at each.
namespace crossover::learning::scripts {

const Script& record();
const Script& read();
const Script& look();
const Script& begin_handover();
const Script& turn_primary();
const Script& forget_owed();
const Script& claim_control();
const Script& fetch();
const Script& carry();

}  // namespace crossover::learning::scripts
