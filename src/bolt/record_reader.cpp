#include "bolt/record_reader.h"

#include <bit>
#include <cstring>

#include "bolt/packstream_endian.h"
#include "bolt/packstream_markers.h"

namespace crossover::bolt {
namespace {

constexpr std::size_t kFloatBytes = 9;

/// Judges the converted numbers in one pass over memory that is still in the nearest cache; the loop has no
/// branch, so that compilers vectorise it. Adding one to an exponent of all ones, and to no other, carries
/// into the sign's bit.
Float32List judge(std::span<const float> values) noexcept {
    std::uint32_t any_bit = 0;
    std::uint32_t overflow = 0;
    for (const float value : values) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        any_bit |= bits;
        overflow |= (bits & 0x7F80'0000U) + 0x0080'0000U;
    }
    const bool finite = (overflow & 0x8000'0000U) == 0;
    return {finite ? Float32ListStatus::ok : Float32ListStatus::not_finite, values.size(),
            (any_bit & 0x7FFF'FFFFU) == 0};
}

/// True when every element is a float: then they lie nine bytes apart and need no look at each marker in
/// turn.
bool convert_floats(const std::byte* from, std::span<float> out) noexcept {
    std::uint8_t strange = 0;
    for (float& value : out) {
        strange |= std::to_integer<std::uint8_t>(*from) ^ marker::kFloat64;
        value = static_cast<float>(std::bit_cast<double>(load_big_endian<std::uint64_t>(from + 1)));
        from += kFloatBytes;
    }
    return strange == 0;
}

/// Element by element, for lists with anything but floats. Stops behind the first element that is not fit.
Float32ListStatus convert_mixed(Decoder& decoder, std::span<float> out) noexcept {
    for (float& value : out) {
        std::int64_t integer = 0;
        double number = 0;
        switch (decoder.peek()) {
            case Type::floating:
                if (!decoder.read_float(number)) return Float32ListStatus::malformed;
                value = static_cast<float>(number);
                break;
            case Type::integer:
                if (!decoder.read_int(integer)) return Float32ListStatus::malformed;
                value = static_cast<float>(integer);
                break;
            case Type::end:
            case Type::reserved:
                return Float32ListStatus::malformed;
            default:
                return Float32ListStatus::not_numeric;
        }
        if (judge({&value, 1}).status != Float32ListStatus::ok) return Float32ListStatus::not_finite;
    }
    return Float32ListStatus::ok;
}

template <class T>
void convert_vector(const std::byte* from, std::span<float> out) noexcept {
    for (float& value : out) {
        value = static_cast<float>(std::bit_cast<T>(load_big_endian<UnsignedOf<sizeof(T)>>(from)));
        from += sizeof(T);
    }
}

/// Bytes of one element; 0 for no such type.
std::size_t vector_element_bytes(std::uint8_t type) noexcept {
    switch (type) {
        case marker::kInt8:
            return 1;
        case marker::kInt16:
            return 2;
        case marker::kInt32:
        case marker::kFloat32:
            return 4;
        case marker::kInt64:
        case marker::kFloat64:
            return 8;
        default:
            return 0;
    }
}

/// Where the numbers go: nothing is written before the dimension is known to be right.
template <class Destination>
Float32List read_list(Decoder& decoder, Destination& destination) {
    Decoder whole = decoder;  // Stays at the field's start, to step over it whatever is wrong inside.
    std::size_t size = 0;
    if (!decoder.read_list_header(size)) return {};
    Float32List result{Float32ListStatus::wrong_dimension, size, false};
    if (destination.fits(size)) {
        const std::span<float> out = destination.take(size);
        const std::span<const std::byte> bytes = decoder.remaining();
        if (bytes.size() / kFloatBytes >= size && convert_floats(bytes.data(), out)) {
            decoder.advance(size * kFloatBytes);
            return judge(out);
        }
        result.status = convert_mixed(decoder, out);
        if (result.status == Float32ListStatus::ok) return judge(out);
    }
    if (!whole.skip()) result.status = Float32ListStatus::malformed;
    decoder = whole;
    return result;
}

template <class Destination>
Float32List read_vector(Decoder& decoder, Destination& destination) {
    std::span<const std::byte> type;
    std::span<const std::byte> data;
    StructHeader header;
    if (!decoder.read_struct_header(header)) return {};
    const auto malformed = [&decoder] {
        decoder.fail(DecodeError::malformed_structure);
        return Float32List{};
    };
    if (header.fields != 2) return malformed();
    if (!decoder.read_bytes(type) || !decoder.read_bytes(data)) return {};
    if (type.size() != 1) return malformed();
    const auto element = std::to_integer<std::uint8_t>(type[0]);
    const std::size_t width = vector_element_bytes(element);
    if (width == 0 || data.size() % width != 0) return malformed();
    const std::size_t size = data.size() / width;
    if (!destination.fits(size)) return {Float32ListStatus::wrong_dimension, size, false};
    const std::span<float> out = destination.take(size);
    switch (element) {
        case marker::kFloat32:
            convert_vector<float>(data.data(), out);
            break;
        case marker::kFloat64:
            convert_vector<double>(data.data(), out);
            break;
        case marker::kInt8:
            convert_vector<std::int8_t>(data.data(), out);
            break;
        case marker::kInt16:
            convert_vector<std::int16_t>(data.data(), out);
            break;
        case marker::kInt32:
            convert_vector<std::int32_t>(data.data(), out);
            break;
        default:
            convert_vector<std::int64_t>(data.data(), out);
            break;
    }
    return judge(out);
}

bool is_vector(const Decoder& decoder) noexcept {
    const auto bytes = decoder.remaining();
    return bytes.size() >= 2 && std::to_integer<std::uint8_t>(bytes[1]) == tag::kVector;
}

template <class Destination>
Float32List read(Decoder& decoder, Destination destination) {
    Float32List result;
    switch (decoder.peek()) {
        case Type::list:
            result = read_list(decoder, destination);
            break;
        case Type::null:
            decoder.read_null();
            result.status = Float32ListStatus::null;
            break;
        case Type::structure:
            if (is_vector(decoder)) {
                result = read_vector(decoder, destination);
                break;
            }
            [[fallthrough]];
        default:
            if (decoder.skip()) result.status = Float32ListStatus::not_a_list;
            break;
    }
    if (result.status != Float32ListStatus::ok) {
        destination.restore();
        result.all_zero = false;
    }
    return result;
}

struct SpanDestination {
    std::span<float> out;
    bool fits(std::size_t size) const noexcept { return size == out.size(); }
    std::span<float> take(std::size_t) const noexcept { return out; }
    void restore() const noexcept {}
};

struct ColumnDestination {
    std::size_t expected;
    std::vector<float>& column;
    std::size_t size_before = column.size();

    bool fits(std::size_t size) const noexcept { return expected == 0 || size == expected; }
    std::span<float> take(std::size_t size) const {
        column.resize(size_before + size);
        return std::span(column).subspan(size_before);
    }
    void restore() const { column.resize(size_before); }
};

}  // namespace

std::string_view to_string(Float32ListStatus status) noexcept {
    switch (status) {
        case Float32ListStatus::ok:
            return "ok";
        case Float32ListStatus::null:
            return "null";
        case Float32ListStatus::not_a_list:
            return "not a list";
        case Float32ListStatus::wrong_dimension:
            return "wrong dimension";
        case Float32ListStatus::not_numeric:
            return "not numeric";
        case Float32ListStatus::not_finite:
            return "not finite";
        case Float32ListStatus::malformed:
            return "malformed";
    }
    return "unknown";
}

Float32List read_float32_list(Decoder& decoder, std::span<float> out) {
    return read(decoder, SpanDestination{out});
}

Float32List read_float32_list(Decoder& decoder, std::size_t expected_dimension, std::vector<float>& column) {
    return read(decoder, ColumnDestination{expected_dimension, column});
}

}  // namespace crossover::bolt
