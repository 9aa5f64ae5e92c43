#include <bit>
#include <limits>

#include "bolt/packstream.h"
#include "bolt/packstream_endian.h"
#include "bolt/packstream_markers.h"

namespace crossover::bolt {
namespace {

void append(Bytes& out, std::uint8_t byte) {
    out.push_back(std::byte{byte});
}

template <class T>
void append_marked(Bytes& out, std::uint8_t marker, T value) {
    std::byte bytes[1 + sizeof value];
    bytes[0] = std::byte{marker};
    store_big_endian(value, bytes + 1);
    out.insert(out.end(), bytes, bytes + sizeof bytes);
}

void append(Bytes& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

/// False when the size has no encoding.
bool append_size(Bytes& out, marker::Sized markers, std::size_t size) {
    if (size < 16 && markers.tiny != 0) {
        append(out, static_cast<std::uint8_t>(markers.tiny | size));
    } else if (size <= std::numeric_limits<std::uint8_t>::max()) {
        append_marked(out, markers.size8, static_cast<std::uint8_t>(size));
    } else if (size <= std::numeric_limits<std::uint16_t>::max()) {
        append_marked(out, markers.size16, static_cast<std::uint16_t>(size));
    } else if (size <= std::numeric_limits<std::uint32_t>::max()) {
        append_marked(out, markers.size32, static_cast<std::uint32_t>(size));
    } else {
        return false;
    }
    return true;
}

}  // namespace

std::string_view to_string(EncodeError error) noexcept {
    switch (error) {
        case EncodeError::none:
            return "none";
        case EncodeError::too_large:
            return "a string, list, map or structure is larger than PackStream can say";
        case EncodeError::too_deep:
            return "values are nested too deeply";
    }
    return "unknown";
}

void Encoder::write_null() {
    append(out_, marker::kNull);
}

void Encoder::write_bool(bool value) {
    append(out_, value ? marker::kTrue : marker::kFalse);
}

void Encoder::write_int(std::int64_t value) {
    const auto fits = [value]<class T>(T) {
        return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
    };
    if (value >= marker::kTinyIntMin && value <= marker::kTinyIntMax) {
        append(out_, static_cast<std::uint8_t>(value));
    } else if (fits(std::int8_t{})) {
        append_marked(out_, marker::kInt8, static_cast<std::uint8_t>(value));
    } else if (fits(std::int16_t{})) {
        append_marked(out_, marker::kInt16, static_cast<std::uint16_t>(value));
    } else if (fits(std::int32_t{})) {
        append_marked(out_, marker::kInt32, static_cast<std::uint32_t>(value));
    } else {
        append_marked(out_, marker::kInt64, static_cast<std::uint64_t>(value));
    }
}

void Encoder::write_float(double value) {
    append_marked(out_, marker::kFloat64, std::bit_cast<std::uint64_t>(value));
}

void Encoder::write_string(std::string_view utf8) {
    if (!append_size(out_, marker::kString, utf8.size())) return fail(EncodeError::too_large);
    append(out_, std::as_bytes(std::span(utf8)));
}

void Encoder::write_bytes(std::span<const std::byte> bytes) {
    if (!append_size(out_, marker::kBytes, bytes.size())) return fail(EncodeError::too_large);
    append(out_, bytes);
}

void Encoder::write_list_header(std::size_t size) {
    if (!append_size(out_, marker::kList, size)) fail(EncodeError::too_large);
}

void Encoder::write_map_header(std::size_t size) {
    if (!append_size(out_, marker::kMap, size)) fail(EncodeError::too_large);
}

void Encoder::write_struct_header(std::size_t fields, std::uint8_t tag) {
    if (fields > kMaxStructureFields) return fail(EncodeError::too_large);
    append(out_, static_cast<std::uint8_t>(marker::kTinyStruct | fields));
    append(out_, tag);
}

void Encoder::fail(EncodeError error) noexcept {
    if (ok()) error_ = error;
}

template <class T>
void Encoder::write_floats(std::span<const T> values) {
    write_list_header(values.size());
    if (!ok()) return;
    constexpr std::size_t kElementBytes = 9;
    const std::size_t start = out_.size();
    out_.resize(start + values.size() * kElementBytes);
    std::byte* to = out_.data() + start;
    for (const T value : values) {
        *to = std::byte{marker::kFloat64};
        store_big_endian(std::bit_cast<std::uint64_t>(static_cast<double>(value)), to + 1);
        to += kElementBytes;
    }
}

void Encoder::write_float_list(std::span<const float> values) {
    write_floats(values);
}
void Encoder::write_float_list(std::span<const double> values) {
    write_floats(values);
}

/// Writes values of every type; knows how deep it is.
struct ValueWriter {
    Encoder& encoder;
    int depth = 0;

    void operator()(Null) { encoder.write_null(); }
    void operator()(bool value) { encoder.write_bool(value); }
    void operator()(std::int64_t value) { encoder.write_int(value); }
    void operator()(double value) { encoder.write_float(value); }
    void operator()(const std::string& value) { encoder.write_string(value); }
    void operator()(const Bytes& value) { encoder.write_bytes(value); }

    void operator()(const Value& value) { value.visit(*this); }

    void operator()(const List& list) {
        if (!enter()) return;
        encoder.write_list_header(list.size());
        for (const Value& element : list) {
            if (!encoder.ok()) break;
            (*this)(element);
        }
        --depth;
    }

    void operator()(const Map& map) {
        if (!enter()) return;
        encoder.write_map_header(map.size());
        for (const auto& [key, value] : map) {
            if (!encoder.ok()) break;
            encoder.write_string(key);
            (*this)(value);
        }
        --depth;
    }

    void operator()(const Node& node) {
        if (node.element_id.empty()) {
            structure(tag::kNode, node.id, node.labels, node.properties);
        } else {
            structure(tag::kNode, node.id, node.labels, node.properties, node.element_id);
        }
    }
    void operator()(const Relationship& r) {
        if (r.element_id.empty()) {
            structure(tag::kRelationship, r.id, r.start_node_id, r.end_node_id, r.type, r.properties);
        } else {
            structure(tag::kRelationship, r.id, r.start_node_id, r.end_node_id, r.type, r.properties,
                      r.element_id, r.start_node_element_id, r.end_node_element_id);
        }
    }
    void operator()(const UnboundRelationship& r) {
        if (r.element_id.empty()) {
            structure(tag::kUnboundRelationship, r.id, r.type, r.properties);
        } else {
            structure(tag::kUnboundRelationship, r.id, r.type, r.properties, r.element_id);
        }
    }
    void operator()(const Path& path) { structure(tag::kPath, path.nodes, path.relationships, path.indices); }
    void operator()(Date date) { structure(tag::kDate, date.days); }
    void operator()(Time time) { structure(tag::kTime, time.nanoseconds, time.tz_offset_seconds); }
    void operator()(LocalTime time) { structure(tag::kLocalTime, time.nanoseconds); }
    void operator()(DateTime t) { structure(tag::kDateTime, t.seconds, t.nanoseconds, t.tz_offset_seconds); }
    void operator()(const DateTimeZoneId& t) {
        structure(tag::kDateTimeZoneId, t.seconds, t.nanoseconds, t.tz_id);
    }
    void operator()(LegacyDateTime t) {
        structure(tag::kLegacyDateTime, t.seconds, t.nanoseconds, t.tz_offset_seconds);
    }
    void operator()(const LegacyDateTimeZoneId& t) {
        structure(tag::kLegacyDateTimeZoneId, t.seconds, t.nanoseconds, t.tz_id);
    }
    void operator()(LocalDateTime t) { structure(tag::kLocalDateTime, t.seconds, t.nanoseconds); }
    void operator()(const Duration& d) {
        structure(tag::kDuration, d.months, d.days, d.seconds, d.nanoseconds);
    }
    void operator()(const Point2D& p) { structure(tag::kPoint2D, p.srid, p.x, p.y); }
    void operator()(const Point3D& p) { structure(tag::kPoint3D, p.srid, p.x, p.y, p.z); }

    void operator()(const Vector& vector) {
        std::visit([this](const auto& elements) { vector_elements(elements); }, vector.elements);
    }

    void operator()(const UnsupportedType& unsupported) {
        Map extra;
        if (!unsupported.message.empty()) extra.append("message", unsupported.message);
        structure(tag::kUnsupportedType, unsupported.name, unsupported.minimum_major,
                  unsupported.minimum_minor, extra);
    }

    void operator()(const Structure& other) {
        if (!enter()) return;
        encoder.write_struct_header(other.fields.size(), other.tag);
        for (const Value& field : other.fields) {
            if (!encoder.ok()) break;
            (*this)(field);
        }
        --depth;
    }

  private:
    bool enter() {
        if (depth == kMaxDepth) {
            encoder.fail(EncodeError::too_deep);
            return false;
        }
        ++depth;
        return true;
    }

    template <class... Fields>
    void structure(std::uint8_t tag, const Fields&... fields) {
        if (!enter()) return;
        encoder.write_struct_header(sizeof...(fields), tag);
        (field(fields), ...);
        --depth;
    }

    template <class T>
    void field(const T& value) {
        (*this)(value);
    }

    template <class T>
    void field(const std::vector<T>& values) {
        if (!enter()) return;
        encoder.write_list_header(values.size());
        for (const T& value : values) (*this)(value);
        --depth;
    }

    template <class T>
    void vector_elements(const std::vector<T>& elements) {
        using Bits = UnsignedOf<sizeof(T)>;
        if (!enter()) return;
        const std::byte type{marker::kVectorElement<T>};
        Bytes data(elements.size() * sizeof(T));
        for (std::size_t i = 0; i < elements.size(); ++i) {
            store_big_endian(std::bit_cast<Bits>(elements[i]), data.data() + i * sizeof(T));
        }
        encoder.write_struct_header(2, tag::kVector);
        encoder.write_bytes({&type, 1});
        encoder.write_bytes(data);
        --depth;
    }
};

void Encoder::write_map(const Map& map) {
    ValueWriter{*this}(map);
}
void Encoder::write_value(const Value& value) {
    ValueWriter{*this}(value);
}

}  // namespace crossover::bolt
