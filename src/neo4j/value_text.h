#pragma once

#include <string>

#include "bolt/value.h"
#include "sync/mapping.h"

/// Values of Neo4j as text: what a carried property of the type `text` holds, wherever it is read.
namespace crossover::neo4j {

/// Strings as they are. Numbers and booleans as JSON has them, a float always with a point ("5.0", "1.0E300";
/// "NaN", "Infinity"): these, temporal values and durations as Neo4j's toString() prints them. Points as
/// "SRID=4326;POINT(12.5 41.9)", with a third number where there is one. Lists as JSON without blanks, their
/// temporal values and points as strings. Bytes as base64.
///
/// Of a time in a zone that has a name Bolt does not tell the offset, which only the server's own table of
/// zones has: ask for such values by text_column(). One that comes all the same is printed in UTC,
/// "2024-07-01T06:00:00Z[Europe/Paris]".
std::string to_text(const bolt::Value& value);

/// The Cypher expression to return for a property of node `node`, whatever its type: `node`.`name`, and for
/// `text` one that leaves to to_text() only what it can print.
std::string text_column(const std::string& node, const sync::CarriedProperty& property);

/// A Cypher expression for the text of a property, as to_text() has it, to compare with a text. Cypher has
/// another text for bytes (a list of numbers), and for control characters in a list's strings other than the
/// five that JSON has letters for.
std::string text_expression(const std::string& node, const sync::CarriedProperty& property);

}  // namespace crossover::neo4j
