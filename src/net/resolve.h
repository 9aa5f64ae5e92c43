#pragma once

#include <netdb.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/deadline.h"

namespace crossover::net {

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

struct Resolution {
    Addresses addresses;  ///< null if it failed
    std::string failure;
    bool timed_out = false;
};

/// The TCP addresses of a host, within the deadline: the system's resolver has only time limits of its own,
/// so it runs in a thread that is left behind when it takes too long.
Resolution resolve(const std::string& host, std::uint16_t port, Deadline deadline);

}  // namespace crossover::net
