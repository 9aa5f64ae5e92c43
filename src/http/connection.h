#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "http/server_state.h"

namespace crossover::http {

/// Serves a connection until it ends or the server does. One that is turned away gets nothing but a 503.
void serve_connection(ServerState& server, boost::asio::ip::tcp::socket socket, bool turned_away);

}  // namespace crossover::http
