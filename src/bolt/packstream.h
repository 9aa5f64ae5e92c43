#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "bolt/value.h"

/// PackStream version 1, the encoding of all Bolt messages (github.com/neo4j/docs-bolt, "PackStream").
/// Encoder and Decoder do no I/O and never throw on account of bytes; only memory can run out. Neither is
/// thread-safe.
namespace crossover::bolt {

/// Lists, maps and structures may be nested this deep in a Value, on the way out as on the way in: deep
/// enough for anything Cypher returns in practice, shallow enough for any thread's stack.
inline constexpr int kMaxDepth = 64;

/// A structure's marker has room for four bits.
inline constexpr std::size_t kMaxStructureFields = 15;

enum class EncodeError : std::uint8_t {
    none,
    too_large,  ///< more than 2^32 - 1 bytes or elements, or more than 15 fields
    too_deep    ///< over kMaxDepth
};

std::string_view to_string(EncodeError error) noexcept;

/// Appends values to a buffer of the caller, each in its smallest encoding. After a header come that many
/// elements (of a map: that many pairs of a string and a value), written by the caller.
///
/// An error sticks; what stands in the buffer from then on is of no use.
class Encoder {
  public:
    /// `out` must outlive the encoder.
    explicit Encoder(Bytes& out) noexcept : out_(out) {}

    void write_null();
    void write_bool(bool value);
    void write_int(std::int64_t value);
    void write_float(double value);
    void write_string(std::string_view utf8);
    void write_bytes(std::span<const std::byte> bytes);
    void write_list_header(std::size_t size);
    void write_map_header(std::size_t size);
    void write_struct_header(std::size_t fields, std::uint8_t tag);
    void write_map(const Map& map);
    void write_value(const Value& value);

    /// A LIST of FLOAT, without a Value for each. (PackStream has no 32-bit float outside of Vector.)
    void write_float_list(std::span<const float> values);
    void write_float_list(std::span<const double> values);

    bool ok() const noexcept { return error_ == EncodeError::none; }
    EncodeError error() const noexcept { return error_; }

  private:
    friend struct ValueWriter;
    void fail(EncodeError error) noexcept;
    template <class T>
    void write_floats(std::span<const T> values);

    Bytes& out_;
    EncodeError error_ = EncodeError::none;
};

enum class DecodeError : std::uint8_t {
    none,
    truncated,           ///< the bytes end before the value does, or a size promises more than there is
    reserved_marker,     ///< a marker that PackStream does not define
    unexpected_type,     ///< a value of another type than was asked for
    too_deep,            ///< over kMaxDepth
    malformed_structure  ///< a known structure with a wrong number or type of fields
};

std::string_view to_string(DecodeError error) noexcept;

enum class Type : std::uint8_t {
    null,
    boolean,
    integer,
    floating,
    bytes,
    string,
    list,
    map,
    structure,
    reserved,  ///< no valid marker
    end        ///< no more bytes, or an error
};

struct StructHeader {
    std::size_t fields = 0;
    std::uint8_t tag = 0;
};

/// A cursor over one message. Each read moves it behind what was read and returns true, or sets the error and
/// returns false. The first error sticks: from then on every read returns false, and the cursor stays.
///
/// Views and spans point into the bytes given, which must outlive them. Strings are not checked to be UTF-8.
/// Sizes are compared with the bytes that are left before anything is allocated. The worst a message can do
/// is to consist of nulls in lists: each byte then becomes a Value.
class Decoder {
  public:
    explicit Decoder(std::span<const std::byte> bytes) noexcept
        : cursor_(bytes.data()), end_(bytes.data() + bytes.size()), begin_(bytes.data()) {}

    /// Type of the value that follows; moves nothing.
    Type peek() const noexcept;

    bool read_null() noexcept;
    bool read_bool(bool& value) noexcept;
    bool read_int(std::int64_t& value) noexcept;
    bool read_float(double& value) noexcept;
    bool read_string(std::string_view& utf8) noexcept;
    bool read_bytes(std::span<const std::byte>& bytes) noexcept;
    /// A size that the remaining bytes cannot hold is `truncated`: what is returned may be reserved safely.
    bool read_list_header(std::size_t& size) noexcept;
    bool read_map_header(std::size_t& size) noexcept;
    /// Any tag. Messages are structures too, and some share a tag with a value (PULL is 0x3F like
    /// UnsupportedType): read a message's header by this, only its fields by read_value.
    bool read_struct_header(StructHeader& header) noexcept;
    bool read_map(Map& map);
    bool read_value(Value& value);
    /// Steps over one value, of any depth, without recursion.
    bool skip() noexcept;

    /// True when all bytes were read.
    bool at_end() const noexcept { return cursor_ == end_; }
    std::size_t position() const noexcept { return static_cast<std::size_t>(cursor_ - begin_); }
    std::span<const std::byte> remaining() const noexcept { return {cursor_, end_}; }
    /// Steps over `count` bytes that the caller has decoded from remaining() itself.
    bool advance(std::size_t count) noexcept;

    bool ok() const noexcept { return error_ == DecodeError::none; }
    DecodeError error() const noexcept { return error_; }
    /// Sets the error, for callers that find a well-formed value to be wrong. The first error stays. Returns
    /// false.
    bool fail(DecodeError error) noexcept;

  private:
    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - cursor_); }
    bool expect(Type type, std::int64_t& number) noexcept;
    bool read_sized(Type type, std::size_t least_bytes_each, std::size_t& size) noexcept;

    const std::byte* cursor_;
    const std::byte* end_;
    const std::byte* begin_;
    DecodeError error_ = DecodeError::none;
};

}  // namespace crossover::bolt
