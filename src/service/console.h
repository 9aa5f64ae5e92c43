#pragma once

#include "http/response.h"

namespace crossover::service {

/// The page at "/": mode, outbox and both stores at a glance, kept fresh by the browser from /status and
/// /metrics. Static; it asks for the token where the service wants one.
http::Response console_page();

}  // namespace crossover::service
