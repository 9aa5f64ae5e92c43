#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

/// Big-endian numbers at unaligned addresses.
namespace crossover::bolt {

static_assert(std::endian::native == std::endian::little, "byte order of other hosts is not provided for");

inline std::uint8_t swap_bytes(std::uint8_t value) noexcept {
    return value;
}
inline std::uint16_t swap_bytes(std::uint16_t value) noexcept {
    return __builtin_bswap16(value);
}
inline std::uint32_t swap_bytes(std::uint32_t value) noexcept {
    return __builtin_bswap32(value);
}
inline std::uint64_t swap_bytes(std::uint64_t value) noexcept {
    return __builtin_bswap64(value);
}

/// The unsigned integer of so many bytes.
template <std::size_t bytes>
using UnsignedOf =
    std::conditional_t<bytes == 1, std::uint8_t,
                       std::conditional_t<bytes == 2, std::uint16_t,
                                          std::conditional_t<bytes == 4, std::uint32_t, std::uint64_t>>>;

template <std::unsigned_integral T>
T load_big_endian(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return swap_bytes(value);
}

template <std::unsigned_integral T>
void store_big_endian(T value, std::byte* to) noexcept {
    value = swap_bytes(value);
    std::memcpy(to, &value, sizeof value);
}

}  // namespace crossover::bolt
