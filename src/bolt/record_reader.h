#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bolt/packstream.h"

/// Embeddings out of records, straight from the wire's bytes into float32 columns: no object for a float.
namespace crossover::bolt {

enum class Float32ListStatus : std::uint8_t {
    ok,
    null,             ///< the field is null
    not_a_list,       ///< neither a list nor a Vector
    wrong_dimension,  ///< `dimension` says which
    not_numeric,      ///< an element is neither a float nor an integer
    not_finite,       ///< an element is NaN or infinite, or becomes infinite as a float32
    malformed         ///< the bytes are no PackStream: the decoder has its error set
};

std::string_view to_string(Float32ListStatus status) noexcept;

struct Float32List {
    Float32ListStatus status = Float32ListStatus::malformed;
    std::size_t dimension = 0;  ///< elements seen; of lists and Vectors, whatever the status
    bool all_zero = false;      ///< if ok: every float32 is +0 or -0 (true of an empty list)
};

/// Reads one field: a LIST of FLOAT or INTEGER, or a Bolt 6 Vector of any element type. Each element becomes
/// `static_cast<float>` of its double (or integer), which rounds to nearest even.
///
/// Whatever the status but `malformed`, the decoder then stands behind the field, so that the others can be
/// read. The dimension is judged before the elements, and of bad elements the first one.
///
/// The list must have out.size() elements. On a status other than ok the content of `out` is unspecified.
Float32List read_float32_list(Decoder& decoder, std::span<float> out);

/// The same, appending to `column`, which keeps its size on a status other than ok. `expected_dimension` 0 is
/// any.
Float32List read_float32_list(Decoder& decoder, std::size_t expected_dimension, std::vector<float>& column);

}  // namespace crossover::bolt
