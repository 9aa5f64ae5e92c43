#pragma once

#include <span>
#include <string>
#include <string_view>

#include "milvus/types.h"

/// Milvus's boolean expressions, as far as we write them.
namespace crossover::milvus {

/// A string literal that the server reads back as exactly these bytes of UTF-8.
///
/// The server's grammar takes C-like literals and then unquotes them as Go does, so only escapes that both
/// accept are used. Characters beyond the basic plane are written as \UXXXXXXXX: servers rewrite raw Han
/// characters to \u and five digits, of which Go reads four, and an id such as "𠀀" would become another one.
std::string quote(std::string_view text);

/// The literal of an id: quoted, or decimal.
std::string literal(const ItemId& id);

/// `field in [a, b, …]`
std::string in_expression(std::string_view field, std::span<const ItemId> ids);

/// `field > after and field <= up_to`, or the half that is given, or empty.
std::string range_expression(std::string_view field, const IdRange& range);

}  // namespace crossover::milvus
