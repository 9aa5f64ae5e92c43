#include "bolt/value.h"

#include <algorithm>

namespace crossover::bolt {

Map::Map() = default;
Map::Map(std::initializer_list<Entry> entries) : entries_(entries) {}
Map::Map(const Map&) = default;
Map::Map(Map&&) noexcept = default;
Map& Map::operator=(const Map&) = default;
Map& Map::operator=(Map&&) noexcept = default;
Map::~Map() = default;

std::size_t Map::size() const noexcept {
    return entries_.size();
}
bool Map::empty() const noexcept {
    return entries_.empty();
}
const Map::Entry* Map::begin() const noexcept {
    return entries_.data();
}
const Map::Entry* Map::end() const noexcept {
    return entries_.data() + entries_.size();
}

void Map::set(std::string key, Value value) {
    const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                    [&key](const Entry& entry) { return entry.key == key; });
    if (found == entries_.rend()) {
        append(std::move(key), std::move(value));
    } else {
        found->value = std::move(value);
    }
}

void Map::append(std::string key, Value value) {
    entries_.push_back({std::move(key), std::move(value)});
}

const Value* Map::find(std::string_view key) const noexcept {
    const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                    [key](const Entry& entry) { return entry.key == key; });
    return found == entries_.rend() ? nullptr : &found->value;
}

bool operator==(const Map& left, const Map& right) {
    const auto same = [](const Map::Entry& a, const Map::Entry& b) {
        return a.key == b.key && a.value == b.value;
    };
    return std::is_permutation(left.begin(), left.end(), right.begin(), right.end(), same);
}

bool operator==(const Node&, const Node&) = default;
bool operator==(const Relationship&, const Relationship&) = default;
bool operator==(const UnboundRelationship&, const UnboundRelationship&) = default;
bool operator==(const Path&, const Path&) = default;
bool operator==(const Structure&, const Structure&) = default;

Value::Value(Node value) : storage_(std::make_shared<const Node>(std::move(value))) {}
Value::Value(Relationship value) : storage_(std::make_shared<const Relationship>(std::move(value))) {}
Value::Value(UnboundRelationship value)
    : storage_(std::make_shared<const UnboundRelationship>(std::move(value))) {}
Value::Value(Path value) : storage_(std::make_shared<const Path>(std::move(value))) {}
Value::Value(DateTimeZoneId value) : storage_(std::make_shared<const DateTimeZoneId>(std::move(value))) {}
Value::Value(LegacyDateTimeZoneId value)
    : storage_(std::make_shared<const LegacyDateTimeZoneId>(std::move(value))) {}
Value::Value(Vector value) : storage_(std::make_shared<const Vector>(std::move(value))) {}
Value::Value(UnsupportedType value) : storage_(std::make_shared<const UnsupportedType>(std::move(value))) {}
Value::Value(Structure value) : storage_(std::make_shared<const Structure>(std::move(value))) {}

bool operator==(const Value& left, const Value& right) {
    if (left.storage_.index() != right.storage_.index()) return false;
    return left.visit([&right]<class T>(const T& value) { return value == *right.get_if<T>(); });
}

namespace {

struct TypeName {
    std::string_view operator()(Null) const { return "Null"; }
    std::string_view operator()(bool) const { return "Boolean"; }
    std::string_view operator()(std::int64_t) const { return "Integer"; }
    std::string_view operator()(double) const { return "Float"; }
    std::string_view operator()(const std::string&) const { return "String"; }
    std::string_view operator()(const Bytes&) const { return "Bytes"; }
    std::string_view operator()(const List&) const { return "List"; }
    std::string_view operator()(const Map&) const { return "Map"; }
    std::string_view operator()(const Node&) const { return "Node"; }
    std::string_view operator()(const Relationship&) const { return "Relationship"; }
    std::string_view operator()(const UnboundRelationship&) const { return "UnboundRelationship"; }
    std::string_view operator()(const Path&) const { return "Path"; }
    std::string_view operator()(Date) const { return "Date"; }
    std::string_view operator()(Time) const { return "Time"; }
    std::string_view operator()(LocalTime) const { return "LocalTime"; }
    std::string_view operator()(DateTime) const { return "DateTime"; }
    std::string_view operator()(const DateTimeZoneId&) const { return "DateTimeZoneId"; }
    std::string_view operator()(LegacyDateTime) const { return "LegacyDateTime"; }
    std::string_view operator()(const LegacyDateTimeZoneId&) const { return "LegacyDateTimeZoneId"; }
    std::string_view operator()(LocalDateTime) const { return "LocalDateTime"; }
    std::string_view operator()(const Duration&) const { return "Duration"; }
    std::string_view operator()(const Point2D&) const { return "Point2D"; }
    std::string_view operator()(const Point3D&) const { return "Point3D"; }
    std::string_view operator()(const Vector&) const { return "Vector"; }
    std::string_view operator()(const UnsupportedType&) const { return "UnsupportedType"; }
    std::string_view operator()(const Structure&) const { return "Structure"; }
};

}  // namespace

std::string_view Value::type_name() const noexcept {
    return visit(TypeName{});
}

}  // namespace crossover::bolt
