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

/// The same, or "(an address that can't be read)". The only way in which an
/// address that is not parsed yet gets into a text; one that is has to_string().
std::string shown_address(std::string_view text);

/// A name or an address of this very machine.
bool is_loopback(std::string_view host);

}  // namespace crossover
