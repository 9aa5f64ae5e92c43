#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bolt/packstream.h"

/// The one table of PackStream's marker bytes, read by encoder and decoder alike.
namespace crossover::bolt::marker {

inline constexpr std::uint8_t kNull = 0xC0;
inline constexpr std::uint8_t kFloat64 = 0xC1;
inline constexpr std::uint8_t kFalse = 0xC2;
inline constexpr std::uint8_t kTrue = 0xC3;
inline constexpr std::uint8_t kFloat32 = 0xC6;  ///< in Vectors only
inline constexpr std::uint8_t kInt8 = 0xC8;
inline constexpr std::uint8_t kInt16 = 0xC9;
inline constexpr std::uint8_t kInt32 = 0xCA;
inline constexpr std::uint8_t kInt64 = 0xCB;
inline constexpr std::uint8_t kTinyStruct = 0xB0;

/// The element types of a Vector are named by the marker that such a number has, or would have, alone.
template <class T>
inline constexpr std::uint8_t kVectorElement = 0;
template <>
inline constexpr std::uint8_t kVectorElement<float> = kFloat32;
template <>
inline constexpr std::uint8_t kVectorElement<double> = kFloat64;
template <>
inline constexpr std::uint8_t kVectorElement<std::int8_t> = kInt8;
template <>
inline constexpr std::uint8_t kVectorElement<std::int16_t> = kInt16;
template <>
inline constexpr std::uint8_t kVectorElement<std::int32_t> = kInt32;
template <>
inline constexpr std::uint8_t kVectorElement<std::int64_t> = kInt64;

inline constexpr std::int64_t kTinyIntMin = -16;
inline constexpr std::int64_t kTinyIntMax = 127;

/// The markers of one sized type. `tiny` holds sizes to 15 in its low bits; 0 where the type has none.
struct Sized {
    std::uint8_t tiny;
    std::uint8_t size8;
    std::uint8_t size16;
    std::uint8_t size32;
};

inline constexpr Sized kBytes{0, 0xCC, 0xCD, 0xCE};
inline constexpr Sized kString{0x80, 0xD0, 0xD1, 0xD2};
inline constexpr Sized kList{0x90, 0xD4, 0xD5, 0xD6};
inline constexpr Sized kMap{0xA0, 0xD8, 0xD9, 0xDA};

/// What a marker says: the type, and where the size or number is: in the marker itself (`inline_value`), or
/// in the `width` bytes behind it.
struct Meaning {
    Type type = Type::reserved;
    std::uint8_t width = 0;
    std::int8_t inline_value = 0;
};

inline constexpr std::array<Meaning, 256> kTable = [] {
    std::array<Meaning, 256> table{};
    for (int value = kTinyIntMin; value <= kTinyIntMax; ++value) {
        table[static_cast<std::uint8_t>(value)] = {Type::integer, 0, static_cast<std::int8_t>(value)};
    }
    table[kNull] = {Type::null};
    table[kFalse] = {Type::boolean, 0, 0};
    table[kTrue] = {Type::boolean, 0, 1};
    table[kFloat64] = {Type::floating, 8};
    table[kInt8] = {Type::integer, 1};
    table[kInt16] = {Type::integer, 2};
    table[kInt32] = {Type::integer, 4};
    table[kInt64] = {Type::integer, 8};
    const auto add = [&table](Type type, Sized sized) {
        table[sized.size8] = {type, 1};
        table[sized.size16] = {type, 2};
        table[sized.size32] = {type, 4};
        if (sized.tiny == 0) return;
        for (std::int8_t size = 0; size < 16; ++size) table[sized.tiny + size] = {type, 0, size};
    };
    add(Type::bytes, kBytes);
    add(Type::string, kString);
    add(Type::list, kList);
    add(Type::map, kMap);
    for (std::int8_t size = 0; size < 16; ++size) table[kTinyStruct + size] = {Type::structure, 0, size};
    return table;
}();

inline const Meaning& meaning(std::byte marker) noexcept {
    return kTable[std::to_integer<std::uint8_t>(marker)];
}

}  // namespace crossover::bolt::marker

namespace crossover::bolt::tag {

inline constexpr std::uint8_t kNode = 'N';
inline constexpr std::uint8_t kRelationship = 'R';
inline constexpr std::uint8_t kUnboundRelationship = 'r';
inline constexpr std::uint8_t kPath = 'P';
inline constexpr std::uint8_t kDate = 'D';
inline constexpr std::uint8_t kTime = 'T';
inline constexpr std::uint8_t kLocalTime = 't';
inline constexpr std::uint8_t kDateTime = 'I';
inline constexpr std::uint8_t kDateTimeZoneId = 'i';
inline constexpr std::uint8_t kLegacyDateTime = 'F';
inline constexpr std::uint8_t kLegacyDateTimeZoneId = 'f';
inline constexpr std::uint8_t kLocalDateTime = 'd';
inline constexpr std::uint8_t kDuration = 'E';
inline constexpr std::uint8_t kPoint2D = 'X';
inline constexpr std::uint8_t kPoint3D = 'Y';
inline constexpr std::uint8_t kVector = 'V';
inline constexpr std::uint8_t kUnsupportedType = '?';

}  // namespace crossover::bolt::tag
