#include <cstdlib>
#include <vector>

#include "bolt/packstream.h"
#include "bolt/record_reader.h"

/// Any bytes as one value: it decodes or is refused, and what decodes survives the way back. All readers of a
/// value must agree on where it ends.
namespace {

using namespace crossover::bolt;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_value(std::span<const std::byte> bytes) {
    Decoder reader(bytes);
    Decoder skipper(bytes);
    Value value;
    const bool read = reader.read_value(value);
    const bool skipped = skipper.skip();
    require(read == reader.ok() && skipped == skipper.ok());
    if (!read) return;
    require(skipped && skipper.position() == reader.position());

    Bytes encoded;
    Encoder first(encoded);
    first.write_value(value);
    require(first.ok());
    Decoder again(encoded);
    Value copy;
    require(again.read_value(copy) && again.at_end());
    // Bytes rather than values are compared: NaN is equal to nothing.
    Bytes encoded_again;
    Encoder(encoded_again).write_value(copy);
    require(encoded == encoded_again);
}

void check_float_list(std::span<const std::byte> bytes) {
    Decoder reader(bytes);
    std::vector<float> column(1, 9.0F);
    const Float32List list = read_float32_list(reader, 0, column);
    require(reader.ok() == (list.status != Float32ListStatus::malformed));
    require(column.size() == 1 + (list.status == Float32ListStatus::ok ? list.dimension : 0));
    if (!reader.ok()) return;
    Decoder skipper(bytes);
    require(skipper.skip() && skipper.position() == reader.position());

    std::vector<float> out(list.dimension);
    Decoder fixed(bytes);
    require(read_float32_list(fixed, std::span(out)).status == list.status || list.dimension == 0);
    require(fixed.position() == reader.position());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    check_value(bytes);
    check_float_list(bytes);
    return 0;
}
