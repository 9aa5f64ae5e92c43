#pragma once

#include <boost/asio/ssl/context.hpp>

#include "http/server.h"

namespace crossover::http {

/// TLS 1.2 or later with this certificate. Throws Error(config, usage) that names the file at fault.
boost::asio::ssl::context make_tls_context(const TlsFiles& files);

}  // namespace crossover::http
