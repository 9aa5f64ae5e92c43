#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bolt/packstream.h"

namespace crossover::bolt::test {

/// "B1 4E 01" as bytes; blanks are ignored.
inline Bytes hex(std::string_view digits) {
    Bytes bytes;
    std::string compact;
    for (const char digit : digits) {
        if (digit != ' ') compact += digit;
    }
    for (std::size_t i = 0; i + 1 < compact.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoi(compact.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

inline std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string text;
    for (const std::byte byte : bytes) {
        const auto number = std::to_integer<unsigned>(byte);
        if (!text.empty()) text += ' ';
        text += kDigits[number >> 4];
        text += kDigits[number & 15];
    }
    return text;
}

inline Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

inline Bytes repeat(std::size_t count, std::string_view digits) {
    const Bytes one = hex(digits);
    Bytes all;
    for (std::size_t i = 0; i < count; ++i) all.insert(all.end(), one.begin(), one.end());
    return all;
}

inline Bytes encode(const Value& value) {
    Bytes bytes;
    Encoder encoder(bytes);
    encoder.write_value(value);
    return bytes;
}

/// The error that decoding one value of exactly these bytes ends with.
inline DecodeError decode_error(const Bytes& bytes) {
    Decoder decoder(bytes);
    Value value;
    decoder.read_value(value);
    return decoder.error();
}

}  // namespace crossover::bolt::test
