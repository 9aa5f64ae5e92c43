#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "net/byte_stream.h"

namespace crossover::net {

enum class TlsTrust {
    verified,        ///< a trusted authority signed the certificate, and it is for this host
    any_certificate  ///< encrypted, but the server may be anyone: the `+ssc` of Neo4j's URIs
};

struct TlsOptions {
    TlsTrust trust = TlsTrust::verified;
    std::string ca_file;  ///< PEM, trusted instead of the system's authorities; empty is the system's
};

/// Connects as tcp_connect does and shakes hands: TLS 1.2 or later, with the name of the server (SNI).
///
/// Throws crossover::Error of `system`: `unreachable`, `timeout`, `authentication` when the certificate is
/// refused, `usage` when the CA file cannot be read.
std::unique_ptr<ByteStream> tls_connect(const std::string& host, std::uint16_t port,
                                        const TlsOptions& options, Deadline deadline, System system);

}  // namespace crossover::net
