#include <bit>

#include "bolt/packstream.h"
#include "bolt/packstream_endian.h"
#include "bolt/packstream_markers.h"

namespace crossover::bolt {
namespace {

/// The big-endian number of `width` bytes, zero-extended.
std::uint64_t load_unsigned(const std::byte* from, std::size_t width) noexcept {
    switch (width) {
        case 1:
            return load_big_endian<std::uint8_t>(from);
        case 2:
            return load_big_endian<std::uint16_t>(from);
        case 4:
            return load_big_endian<std::uint32_t>(from);
        default:
            return load_big_endian<std::uint64_t>(from);
    }
}

std::int64_t load_signed(const std::byte* from, std::size_t width) noexcept {
    switch (width) {
        case 1:
            return static_cast<std::int8_t>(load_big_endian<std::uint8_t>(from));
        case 2:
            return static_cast<std::int16_t>(load_big_endian<std::uint16_t>(from));
        case 4:
            return static_cast<std::int32_t>(load_big_endian<std::uint32_t>(from));
        default:
            return static_cast<std::int64_t>(load_big_endian<std::uint64_t>(from));
    }
}

}  // namespace

std::string_view to_string(DecodeError error) noexcept {
    switch (error) {
        case DecodeError::none:
            return "none";
        case DecodeError::truncated:
            return "the bytes end before the value does";
        case DecodeError::reserved_marker:
            return "a marker byte that PackStream does not define";
        case DecodeError::unexpected_type:
            return "a value of an unexpected type";
        case DecodeError::too_deep:
            return "values are nested too deeply";
        case DecodeError::malformed_structure:
            return "a structure with unexpected fields";
    }
    return "unknown";
}

bool Decoder::fail(DecodeError error) noexcept {
    if (ok()) error_ = error;
    return false;
}

Type Decoder::peek() const noexcept {
    if (!ok() || at_end()) return Type::end;
    return marker::meaning(*cursor_).type;
}

/// Reads marker and number of any type but float and structure; the cursor moves on success only.
bool Decoder::expect(Type type, std::int64_t& number) noexcept {
    if (!ok()) return false;
    if (at_end()) return fail(DecodeError::truncated);
    const marker::Meaning& meaning = marker::meaning(*cursor_);
    if (meaning.type == Type::reserved) return fail(DecodeError::reserved_marker);
    if (meaning.type != type) return fail(DecodeError::unexpected_type);
    if (left() - 1 < meaning.width) return fail(DecodeError::truncated);
    if (meaning.width == 0) {
        number = meaning.inline_value;
    } else if (type == Type::integer) {
        number = load_signed(cursor_ + 1, meaning.width);
    } else {
        number = static_cast<std::int64_t>(load_unsigned(cursor_ + 1, meaning.width));
    }
    cursor_ += 1 + meaning.width;
    return true;
}

bool Decoder::read_sized(Type type, std::size_t least_bytes_each, std::size_t& size) noexcept {
    const std::byte* start = cursor_;
    std::int64_t number = 0;
    if (!expect(type, number)) return false;
    if (static_cast<std::size_t>(number) > left() / least_bytes_each) {
        cursor_ = start;
        return fail(DecodeError::truncated);
    }
    size = static_cast<std::size_t>(number);
    return true;
}

bool Decoder::read_null() noexcept {
    std::int64_t number = 0;
    return expect(Type::null, number);
}

bool Decoder::read_bool(bool& value) noexcept {
    std::int64_t number = 0;
    if (!expect(Type::boolean, number)) return false;
    value = number != 0;
    return true;
}

bool Decoder::read_int(std::int64_t& value) noexcept {
    return expect(Type::integer, value);
}

bool Decoder::read_float(double& value) noexcept {
    std::int64_t bits = 0;
    if (!expect(Type::floating, bits)) return false;
    value = std::bit_cast<double>(bits);
    return true;
}

bool Decoder::read_bytes(std::span<const std::byte>& bytes) noexcept {
    std::size_t size = 0;
    if (!read_sized(Type::bytes, 1, size)) return false;
    bytes = {cursor_, size};
    cursor_ += size;
    return true;
}

bool Decoder::read_string(std::string_view& utf8) noexcept {
    std::size_t size = 0;
    if (!read_sized(Type::string, 1, size)) return false;
    utf8 = {reinterpret_cast<const char*>(cursor_), size};
    cursor_ += size;
    return true;
}

bool Decoder::read_list_header(std::size_t& size) noexcept {
    return read_sized(Type::list, 1, size);
}

bool Decoder::read_map_header(std::size_t& size) noexcept {
    return read_sized(Type::map, 2, size);
}

bool Decoder::read_struct_header(StructHeader& header) noexcept {
    const std::byte* start = cursor_;
    std::int64_t fields = 0;
    if (!expect(Type::structure, fields)) return false;
    if (left() < 1 + static_cast<std::size_t>(fields)) {
        cursor_ = start;
        return fail(DecodeError::truncated);
    }
    header = {static_cast<std::size_t>(fields), std::to_integer<std::uint8_t>(*cursor_)};
    ++cursor_;
    return true;
}

bool Decoder::advance(std::size_t count) noexcept {
    if (!ok()) return false;
    if (count > left()) return fail(DecodeError::truncated);
    cursor_ += count;
    return true;
}

bool Decoder::skip() noexcept {
    const std::byte* start = cursor_;
    const auto step = [this](std::uint64_t& pending) {
        std::size_t size = 0;
        std::int64_t number = 0;
        StructHeader header;
        std::span<const std::byte> bytes;
        std::string_view utf8;
        switch (const Type type = peek(); type) {
            case Type::list:
                if (!read_list_header(size)) return false;
                pending += size;
                return true;
            case Type::map:
                if (!read_map_header(size)) return false;
                pending += 2 * static_cast<std::uint64_t>(size);
                return true;
            case Type::structure:
                if (!read_struct_header(header)) return false;
                pending += header.fields;
                return true;
            case Type::bytes:
                return read_bytes(bytes);
            case Type::string:
                return read_string(utf8);
            case Type::reserved:
                return fail(DecodeError::reserved_marker);
            case Type::end:
                return fail(DecodeError::truncated);
            default:
                return expect(type, number);
        }
    };
    for (std::uint64_t pending = 1; pending != 0; --pending) {
        // Each pending value takes a byte: no need to walk a promise that cannot be kept.
        if (pending > left()) fail(DecodeError::truncated);
        if (!ok() || !step(pending)) {
            cursor_ = start;
            return false;
        }
    }
    return true;
}

}  // namespace crossover::bolt
