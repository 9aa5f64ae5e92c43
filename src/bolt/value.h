#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// Every value that PackStream can carry, as Bolt 5.0 to 6.0 understand it.
/// Facts: the Bolt documentation, "PackStream" and "Structure Semantics" (github.com/neo4j/docs-bolt).
namespace crossover::bolt {

class Value;

struct Null {
    friend bool operator==(Null, Null) = default;
};

using Bytes = std::vector<std::byte>;
using List = std::vector<Value>;

/// A PackStream dictionary. Keeps the order of arrival, so that what was received is printed and sent as it
/// was; look-up is linear, which for the handful of keys that maps have is faster than a tree.
///
/// The protocol says that keys are unique but nothing enforces it on arrival: where a key comes twice, the
/// later one is found. Two maps are equal when they hold equal entries in any order.
class Map {
  public:
    struct Entry;  // {std::string key; Value value;}

    Map();
    Map(std::initializer_list<Entry> entries);
    Map(const Map&);
    Map(Map&&) noexcept;
    Map& operator=(const Map&);
    Map& operator=(Map&&) noexcept;
    ~Map();

    /// Replaces the entry of that key, or appends one.
    void set(std::string key, Value value);
    /// Appends without looking for the key.
    void append(std::string key, Value value);

    /// Null pointer when the key is absent.
    const Value* find(std::string_view key) const noexcept;
    /// Null pointer when the key is absent or its value is of another type.
    template <class T>
    const T* get_if(std::string_view key) const noexcept;

    std::size_t size() const noexcept;
    bool empty() const noexcept;
    const Entry* begin() const noexcept;
    const Entry* end() const noexcept;

    friend bool operator==(const Map& left, const Map& right);

  private:
    std::vector<Entry> entries_;
};

/// `element_id` is empty where the server spoke a Bolt below 5.0.
struct Node {
    std::int64_t id = 0;
    std::vector<std::string> labels;
    Map properties;
    std::string element_id;
    friend bool operator==(const Node&, const Node&);
};

struct Relationship {
    std::int64_t id = 0;
    std::int64_t start_node_id = 0;
    std::int64_t end_node_id = 0;
    std::string type;
    Map properties;
    std::string element_id;
    std::string start_node_element_id;
    std::string end_node_element_id;
    friend bool operator==(const Relationship&, const Relationship&);
};

/// A relationship inside a path: its ends follow from the path.
struct UnboundRelationship {
    std::int64_t id = 0;
    std::string type;
    Map properties;
    std::string element_id;
    friend bool operator==(const UnboundRelationship&, const UnboundRelationship&);
};

/// Starts at nodes[0]; then `indices` come in pairs: a relationship, from 1, negative when walked against its
/// direction; and a node, from 0. Decoded paths have only indices that exist.
struct Path {
    std::vector<Node> nodes;
    std::vector<UnboundRelationship> relationships;
    std::vector<std::int64_t> indices;
    friend bool operator==(const Path&, const Path&);
};

/// Days since 1970-01-01.
struct Date {
    std::int64_t days = 0;
    friend bool operator==(Date, Date) = default;
};

/// Nanoseconds since local midnight, and the zone's offset from UTC.
struct Time {
    std::int64_t nanoseconds = 0;
    std::int64_t tz_offset_seconds = 0;
    friend bool operator==(Time, Time) = default;
};

/// Nanoseconds since midnight.
struct LocalTime {
    std::int64_t nanoseconds = 0;
    friend bool operator==(LocalTime, LocalTime) = default;
};

/// Tag 0x49, Bolt 5.0: `seconds` since the epoch in UTC.
struct DateTime {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::int64_t tz_offset_seconds = 0;
    friend bool operator==(DateTime, DateTime) = default;
};

/// Tag 0x69, Bolt 5.0: `seconds` since the epoch in UTC, and a zone name of the tz database.
struct DateTimeZoneId {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::string tz_id;
    friend bool operator==(const DateTimeZoneId&, const DateTimeZoneId&) = default;
};

/// Tag 0x46, before Bolt 5.0: `seconds` of the wall clock, that is UTC plus the offset.
struct LegacyDateTime {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::int64_t tz_offset_seconds = 0;
    friend bool operator==(LegacyDateTime, LegacyDateTime) = default;
};

/// Tag 0x66, before Bolt 5.0: `seconds` of the wall clock of that zone.
struct LegacyDateTimeZoneId {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::string tz_id;
    friend bool operator==(const LegacyDateTimeZoneId&, const LegacyDateTimeZoneId&) = default;
};

/// Seconds of the wall clock since 1970-01-01T00:00, in no zone.
struct LocalDateTime {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(LocalDateTime, LocalDateTime) = default;
};

struct Duration {
    std::int64_t months = 0;
    std::int64_t days = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const Duration&, const Duration&) = default;
};

/// `srid` names the coordinate system: 4326 is WGS-84 with x the longitude, 7203 the plane.
struct Point2D {
    std::int64_t srid = 0;
    double x = 0;
    double y = 0;
    friend bool operator==(const Point2D&, const Point2D&) = default;
};

/// 4979 is WGS-84 with height, 9157 Cartesian space.
struct Point3D {
    std::int64_t srid = 0;
    double x = 0;
    double y = 0;
    double z = 0;
    friend bool operator==(const Point3D&, const Point3D&) = default;
};

/// Bolt 6.0: numbers of one type, here in the order of the host.
struct Vector {
    std::variant<std::vector<float>, std::vector<double>, std::vector<std::int8_t>, std::vector<std::int16_t>,
                 std::vector<std::int32_t>, std::vector<std::int64_t>>
        elements;
    friend bool operator==(const Vector&, const Vector&) = default;
};

/// Bolt 6.0: stands for a value that the negotiated version cannot carry; says which version could.
struct UnsupportedType {
    std::string name;
    std::int64_t minimum_major = 0;
    std::int64_t minimum_minor = 0;
    std::string message;  ///< empty when the server sent none
    friend bool operator==(const UnsupportedType&, const UnsupportedType&) = default;
};

/// A structure of a tag that none of the above has.
struct Structure {
    std::uint8_t tag = 0;
    List fields;  ///< at most 15
    friend bool operator==(const Structure&, const Structure&);
};

/// One value of any type: a regular type, 40 bytes. Values of large types are immutable and shared between
/// copies, so copying one of those is cheap. Distinct objects may be used by distinct threads.
///
/// Equality follows the parts: integer 1 is not equal to float 1.0, and NaN is equal to nothing.
class Value {
  public:
    Value() noexcept = default;
    Value(std::nullptr_t) noexcept {}
    Value(Null) noexcept {}
    template <class T>
    requires std::is_same_v<T, bool> Value(T value)
    noexcept : storage_(value) {}
    /// Unsigned 64-bit numbers have no PackStream type: convert them knowingly.
    template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool> && (sizeof(T) < 8 || std::is_signed_v<T>))
        Value(T value)
    noexcept : storage_(static_cast<std::int64_t>(value)) {}
    Value(float value) noexcept : storage_(static_cast<double>(value)) {}
    Value(double value) noexcept : storage_(value) {}
    Value(const char* value) : storage_(std::string(value)) {}
    Value(std::string_view value) : storage_(std::string(value)) {}
    Value(std::string value) noexcept : storage_(std::move(value)) {}
    Value(Bytes value) noexcept : storage_(std::move(value)) {}
    Value(List value) noexcept : storage_(std::move(value)) {}
    Value(Map value) noexcept : storage_(std::move(value)) {}
    Value(Date value) noexcept : storage_(value) {}
    Value(Time value) noexcept : storage_(value) {}
    Value(LocalTime value) noexcept : storage_(value) {}
    Value(DateTime value) noexcept : storage_(value) {}
    Value(LegacyDateTime value) noexcept : storage_(value) {}
    Value(LocalDateTime value) noexcept : storage_(value) {}
    Value(const Duration& value) noexcept : storage_(value) {}
    Value(const Point2D& value) noexcept : storage_(value) {}
    Value(const Point3D& value) noexcept : storage_(value) {}
    Value(Node value);
    Value(Relationship value);
    Value(UnboundRelationship value);
    Value(Path value);
    Value(DateTimeZoneId value);
    Value(LegacyDateTimeZoneId value);
    Value(Vector value);
    Value(UnsupportedType value);
    Value(Structure value);

    bool is_null() const noexcept { return std::holds_alternative<Null>(storage_); }

    /// The value as a T (any type of this file, bool, std::int64_t, double, std::string, Bytes, List, Map),
    /// or a null pointer when it is of another type. Never converts. Valid as long as this value is not
    /// changed.
    template <class T>
    const T* get_if() const noexcept {
        if constexpr (kShared<T>) {
            const auto* shared = std::get_if<std::shared_ptr<const T>>(&storage_);
            return shared == nullptr ? nullptr : shared->get();
        } else {
            return std::get_if<T>(&storage_);
        }
    }

    /// Calls `visitor` with a reference to the typed value.
    template <class Visitor>
    decltype(auto) visit(Visitor&& visitor) const {
        return std::visit(
            [&]<class T>(const T& stored) -> decltype(auto) {
                if constexpr (requires { stored.get(); }) {
                    return visitor(*stored);
                } else {
                    return visitor(stored);
                }
            },
            storage_);
    }

    /// "Integer", "String", "Node"... for messages.
    std::string_view type_name() const noexcept;

    friend bool operator==(const Value& left, const Value& right);

  private:
    template <class T>
    static constexpr bool kShared =
        std::is_same_v<T, Node> || std::is_same_v<T, Relationship> ||
        std::is_same_v<T, UnboundRelationship> || std::is_same_v<T, Path> ||
        std::is_same_v<T, DateTimeZoneId> || std::is_same_v<T, LegacyDateTimeZoneId> ||
        std::is_same_v<T, Vector> || std::is_same_v<T, UnsupportedType> || std::is_same_v<T, Structure>;

    std::variant<Null, bool, std::int64_t, double, std::string, Bytes, List, Map, Date, Time, LocalTime,
                 DateTime, LegacyDateTime, LocalDateTime, Duration, Point2D, Point3D,
                 std::shared_ptr<const Node>, std::shared_ptr<const Relationship>,
                 std::shared_ptr<const UnboundRelationship>, std::shared_ptr<const Path>,
                 std::shared_ptr<const DateTimeZoneId>, std::shared_ptr<const LegacyDateTimeZoneId>,
                 std::shared_ptr<const Vector>, std::shared_ptr<const UnsupportedType>,
                 std::shared_ptr<const Structure>>
        storage_;
};

struct Map::Entry {
    std::string key;
    Value value;
};

template <class T>
const T* Map::get_if(std::string_view key) const noexcept {
    const Value* value = find(key);
    return value == nullptr ? nullptr : value->get_if<T>();
}

}  // namespace crossover::bolt
