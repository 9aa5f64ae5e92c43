#pragma once

#include <string>
#include <string_view>

/// Encodings of bytes as text. All functions are pure.
namespace crossover {

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

/// Two lower-case digits a byte.
std::string hex(std::string_view bytes);
/// The bytes of what hex() gave.
std::string from_hex(std::string_view digits);

/// Neither overlong forms nor surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);

}  // namespace crossover
