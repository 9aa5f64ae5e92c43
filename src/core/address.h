#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Addresses of servers as settings give them, for messages and logs. Thread-safe.
namespace crossover {

/// Scheme, hosts, ports and database of a URI of Neo4j, Milvus, PostgreSQL or Redis, of "host:port", or of
/// libpq's "host=… dbname=…" (as a URI): never a user, a password or a parameter. Nothing where there is any
/// doubt what is what, such as with a '/' or a second '@' in a password that should have been %2F and %40.
std::optional<std::string> understood_address(std::string_view text);

/// The same, or "(an address that can't be read)". The only way in which a setting's address gets into a
/// text.
std::string shown_address(std::string_view text);

/// A name or an address of this very machine.
bool is_loopback(std::string_view host);

/// Warns, once for each address, that a password or token goes over the network unencrypted; not where `host`
/// is loopback or, as libpq names them, a socket of this machine. `advice` says how to encrypt.
void warn_of_open_secret(std::string_view server, std::string_view host, std::string_view address,
                         std::string_view advice);

}  // namespace crossover
