#include <algorithm>
#include <bit>
#include <cstdlib>

#include "bolt/packstream.h"
#include "bolt/packstream_endian.h"
#include "bolt/packstream_markers.h"

namespace crossover::bolt {
namespace {

/// Grows with what arrives rather than with what was promised.
constexpr std::size_t kMaxReserve = 1024;

/// Reads values of every type; knows how deep it is.
class ValueReader {
  public:
    explicit ValueReader(Decoder& decoder) : decoder_(decoder) {}

    bool value(Value& out) {
        switch (decoder_.peek()) {
            case Type::null:
                out = nullptr;
                return decoder_.read_null();
            case Type::boolean:
                return scalar(out, &Decoder::read_bool);
            case Type::integer:
                return scalar(out, &Decoder::read_int);
            case Type::floating:
                return scalar(out, &Decoder::read_float);
            case Type::string:
                return whole<std::string>(out);
            case Type::bytes:
                return whole<Bytes>(out);
            case Type::list:
                return whole<List>(out);
            case Type::map:
                return whole<Map>(out);
            case Type::structure:
                return structure(out);
            case Type::reserved:
                return decoder_.fail(DecodeError::reserved_marker);
            case Type::end:
                return decoder_.fail(DecodeError::truncated);
        }
        return false;
    }

    bool read(Map& out) {
        const Level level(*this);
        std::size_t size = 0;
        if (!level.allowed() || !decoder_.read_map_header(size)) return false;
        out = Map();
        for (; size != 0; --size) {
            std::string_view key;
            Value element;
            if (!decoder_.read_string(key) || !value(element)) return false;
            out.append(std::string(key), std::move(element));
        }
        return true;
    }

  private:
    /// One level of nesting, for as long as it lives.
    class Level {
      public:
        explicit Level(ValueReader& reader) : reader_(reader) { ++reader_.depth_; }
        ~Level() { --reader_.depth_; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;
        bool allowed() const {
            return reader_.depth_ <= kMaxDepth || reader_.decoder_.fail(DecodeError::too_deep);
        }

      private:
        ValueReader& reader_;
    };

    template <class T>
    bool scalar(Value& out, bool (Decoder::*reader)(T&) noexcept) {
        T value{};
        if (!(decoder_.*reader)(value)) return false;
        out = Value(value);
        return true;
    }

    template <class T>
    bool whole(Value& out) {
        T value;
        if (!read(value)) return false;
        out = Value(std::move(value));
        return true;
    }

    bool read(std::int64_t& out) { return decoder_.read_int(out); }
    bool read(double& out) { return decoder_.read_float(out); }
    bool read(Value& out) { return value(out); }

    bool read(std::string& out) {
        std::string_view utf8;
        if (!decoder_.read_string(utf8)) return false;
        out = utf8;
        return true;
    }

    bool read(Bytes& out) {
        std::span<const std::byte> bytes;
        if (!decoder_.read_bytes(bytes)) return false;
        out.assign(bytes.begin(), bytes.end());
        return true;
    }

    template <class T>
    bool read(std::vector<T>& out) {
        const Level level(*this);
        std::size_t size = 0;
        if (!level.allowed() || !decoder_.read_list_header(size)) return false;
        out.clear();
        out.reserve(std::min(size, kMaxReserve));
        for (; size != 0; --size) {
            if (!read(out.emplace_back())) return false;
        }
        return true;
    }

    bool structure(Value& out) {
        const Level level(*this);
        StructHeader header;
        if (!level.allowed() || !decoder_.read_struct_header(header)) return false;
        switch (header.tag) {
            case tag::kNode:
                return known<Node>(header, out);
            case tag::kRelationship:
                return known<Relationship>(header, out);
            case tag::kUnboundRelationship:
                return known<UnboundRelationship>(header, out);
            case tag::kPath:
                return known<Path>(header, out);
            case tag::kDate:
                return known<Date>(header, out);
            case tag::kTime:
                return known<Time>(header, out);
            case tag::kLocalTime:
                return known<LocalTime>(header, out);
            case tag::kDateTime:
                return known<DateTime>(header, out);
            case tag::kDateTimeZoneId:
                return known<DateTimeZoneId>(header, out);
            case tag::kLegacyDateTime:
                return known<LegacyDateTime>(header, out);
            case tag::kLegacyDateTimeZoneId:
                return known<LegacyDateTimeZoneId>(header, out);
            case tag::kLocalDateTime:
                return known<LocalDateTime>(header, out);
            case tag::kDuration:
                return known<Duration>(header, out);
            case tag::kPoint2D:
                return known<Point2D>(header, out);
            case tag::kPoint3D:
                return known<Point3D>(header, out);
            case tag::kVector:
                return known<Vector>(header, out);
            case tag::kUnsupportedType:
                return known<UnsupportedType>(header, out);
            default:
                break;
        }
        Structure other{header.tag, List(header.fields)};
        for (Value& field : other.fields) {
            if (!value(field)) return false;
        }
        out = Value(std::move(other));
        return true;
    }

    template <class T>
    bool known(StructHeader header, Value& out) {
        T value{};
        if (!body(header.fields, value)) return false;
        out = Value(std::move(value));
        return true;
    }

    /// A structure as an element of a Path: it has to be of that tag.
    bool read(Node& out) { return element(tag::kNode, out); }
    bool read(UnboundRelationship& out) { return element(tag::kUnboundRelationship, out); }

    template <class T>
    bool element(std::uint8_t tag, T& out) {
        const Level level(*this);
        StructHeader header;
        if (!level.allowed() || !expect(Type::structure) || !decoder_.read_struct_header(header))
            return false;
        return header.tag == tag ? body(header.fields, out) : malformed();
    }

    bool malformed() { return decoder_.fail(DecodeError::malformed_structure); }

    /// Says of a field of the wrong type that the structure is malformed; leaves other errors to the reader.
    bool expect(Type type) {
        const Type seen = decoder_.peek();
        return seen == type || seen == Type::end || seen == Type::reserved || malformed();
    }

    template <class T>
    static constexpr Type type_of() {
        if constexpr (std::is_same_v<T, std::int64_t>) return Type::integer;
        if constexpr (std::is_same_v<T, double>) return Type::floating;
        if constexpr (std::is_same_v<T, std::string>) return Type::string;
        if constexpr (std::is_same_v<T, Map>) return Type::map;
        if constexpr (std::is_same_v<T, Bytes>) return Type::bytes;
        return Type::list;
    }

    template <class T>
    bool field(T& out) {
        return expect(type_of<T>()) && read(out);
    }

    template <class... Fields>
    bool exactly(std::size_t count, Fields&... out) {
        return count == sizeof...(Fields) ? (field(out) && ...) : malformed();
    }

    bool body(std::size_t count, Node& n) {
        if (count == 3) return exactly(count, n.id, n.labels, n.properties);
        return exactly(count, n.id, n.labels, n.properties, n.element_id);
    }
    bool body(std::size_t count, Relationship& r) {
        if (count == 5) return exactly(count, r.id, r.start_node_id, r.end_node_id, r.type, r.properties);
        return exactly(count, r.id, r.start_node_id, r.end_node_id, r.type, r.properties, r.element_id,
                       r.start_node_element_id, r.end_node_element_id);
    }
    bool body(std::size_t count, UnboundRelationship& r) {
        if (count == 3) return exactly(count, r.id, r.type, r.properties);
        return exactly(count, r.id, r.type, r.properties, r.element_id);
    }
    bool body(std::size_t count, Path& path) {
        if (!exactly(count, path.nodes, path.relationships, path.indices)) return false;
        const auto nodes = static_cast<std::int64_t>(path.nodes.size());
        const auto relationships = static_cast<std::int64_t>(path.relationships.size());
        if (nodes == 0 || path.indices.size() % 2 != 0) return malformed();
        for (std::size_t i = 0; i < path.indices.size(); i += 2) {
            const std::int64_t relationship = path.indices[i];
            const std::int64_t node = path.indices[i + 1];
            if (relationship == 0 || relationship > relationships || relationship < -relationships ||
                node < 0 || node >= nodes) {
                return malformed();
            }
        }
        return true;
    }
    bool body(std::size_t count, Date& d) { return exactly(count, d.days); }
    bool body(std::size_t count, Time& t) { return exactly(count, t.nanoseconds, t.tz_offset_seconds); }
    bool body(std::size_t count, LocalTime& t) { return exactly(count, t.nanoseconds); }
    bool body(std::size_t count, DateTime& t) {
        return exactly(count, t.seconds, t.nanoseconds, t.tz_offset_seconds);
    }
    bool body(std::size_t count, DateTimeZoneId& t) {
        return exactly(count, t.seconds, t.nanoseconds, t.tz_id);
    }
    bool body(std::size_t count, LegacyDateTime& t) {
        return exactly(count, t.seconds, t.nanoseconds, t.tz_offset_seconds);
    }
    bool body(std::size_t count, LegacyDateTimeZoneId& t) {
        return exactly(count, t.seconds, t.nanoseconds, t.tz_id);
    }
    bool body(std::size_t count, LocalDateTime& t) { return exactly(count, t.seconds, t.nanoseconds); }
    bool body(std::size_t count, Duration& d) {
        return exactly(count, d.months, d.days, d.seconds, d.nanoseconds);
    }
    bool body(std::size_t count, Point2D& p) { return exactly(count, p.srid, p.x, p.y); }
    bool body(std::size_t count, Point3D& p) { return exactly(count, p.srid, p.x, p.y, p.z); }

    bool body(std::size_t count, Vector& vector) {
        Bytes type;
        std::span<const std::byte> data;
        if (count != 2 || !field(type) || !expect(Type::bytes) || !decoder_.read_bytes(data)) {
            return decoder_.ok() ? malformed() : false;
        }
        if (type.size() != 1) return malformed();
        switch (std::to_integer<std::uint8_t>(type[0])) {
            case marker::kVectorElement<float>:
                return elements<float>(data, vector);
            case marker::kVectorElement<double>:
                return elements<double>(data, vector);
            case marker::kVectorElement<std::int8_t>:
                return elements<std::int8_t>(data, vector);
            case marker::kVectorElement<std::int16_t>:
                return elements<std::int16_t>(data, vector);
            case marker::kVectorElement<std::int32_t>:
                return elements<std::int32_t>(data, vector);
            case marker::kVectorElement<std::int64_t>:
                return elements<std::int64_t>(data, vector);
            default:
                return malformed();
        }
    }

    template <class T>
    bool elements(std::span<const std::byte> data, Vector& vector) {
        if (data.size() % sizeof(T) != 0) return malformed();
        std::vector<T>& out = vector.elements.emplace<std::vector<T>>(data.size() / sizeof(T));
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = std::bit_cast<T>(load_big_endian<UnsignedOf<sizeof(T)>>(data.data() + i * sizeof(T)));
        }
        return true;
    }

    bool body(std::size_t count, UnsupportedType& unsupported) {
        Map extra;
        if (!exactly(count, unsupported.name, unsupported.minimum_major, unsupported.minimum_minor, extra)) {
            return false;
        }
        if (const auto* message = extra.get_if<std::string>("message")) unsupported.message = *message;
        return true;
    }

    Decoder& decoder_;
    int depth_ = 0;
};

}  // namespace

bool Decoder::read_map(Map& map) {
    Map decoded;
    if (!ValueReader(*this).read(decoded)) return false;
    map = std::move(decoded);
    return true;
}

bool Decoder::read_value(Value& value) {
    return ValueReader(*this).value(value);
}

}  // namespace crossover::bolt
