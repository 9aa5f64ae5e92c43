#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/item_id.h"
#include "bolt/packstream.h"
#include "bolt/value.h"

/// Small conversions between Cypher's values and ours.
namespace crossover::neo4j {

/// A label, property or type name, quoted for Cypher.
std::string quote_name(const std::string& name);

bolt::Value to_value(const ItemId& id);
/// Empty where the value is neither a string nor an integer.
std::optional<ItemId> to_item_id(const bolt::Value& value);
/// Empty where the value is no string.
std::string text_of(const bolt::Value& value);
/// 0 where the value is no integer.
std::int64_t integer_of(const bolt::Value& value);
/// 0 where the value is no number.
double number_of(const bolt::Value& value);
/// `protocol`: the fields of a record were read in a form that they don't have.
Error undecodable(const bolt::Decoder& fields);
/// Of a list of integers and floats, or a VECTOR; empty where the value is neither.
std::optional<std::vector<double>> numbers_of(const bolt::Value& value);

}  // namespace crossover::neo4j
