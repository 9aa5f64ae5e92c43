#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "net/byte_stream.h"

namespace crossover::net {

/// Connects to the first address of `host` that answers, without encryption. `host` is a name or an IPv4 or
/// IPv6 address (without brackets); looking up a name counts against the deadline too.
///
/// Throws crossover::Error of `system`: `unreachable` or `timeout`.
std::unique_ptr<ByteStream> tcp_connect(const std::string& host, std::uint16_t port, Deadline deadline,
                                        System system);

}  // namespace crossover::net
