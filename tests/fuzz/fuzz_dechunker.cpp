#include <algorithm>
#include <cstdlib>
#include <vector>

#include "bolt/chunking.h"

/// Any bytes, received in pieces of any size, give the messages that a plain reading of the format gives.
/// The first byte chooses the pieces, the second the buffer, the third the largest message.
namespace {

using namespace crossover::bolt;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Expected {
    std::vector<Bytes> messages;
    std::size_t keep_alives = 0;
    bool too_large = false;
};

Expected plain_reading(std::span<const std::byte> wire, std::size_t max_message) {
    Expected expected;
    Bytes message;
    while (wire.size() >= 2) {
        const std::size_t size =
            std::to_integer<std::size_t>(wire[0]) << 8 | std::to_integer<std::size_t>(wire[1]);
        wire = wire.subspan(2);
        if (size == 0 && message.empty()) {
            ++expected.keep_alives;
        } else if (size == 0) {
            expected.messages.push_back(std::exchange(message, {}));
        } else if (message.size() + size > max_message) {
            expected.too_large = true;
            break;
        } else if (size > wire.size()) {
            break;
        } else {
            message.insert(message.end(), wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
            wire = wire.subspan(size);
        }
    }
    return expected;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 3) return 0;
    const std::size_t piece = data[0] + std::size_t{1};
    const std::size_t buffer = data[1] + std::size_t{1};
    const std::size_t max_message = data[2] * std::size_t{16} + 1;
    const auto wire = std::as_bytes(std::span(data + 3, size - 3));
    const Expected expected = plain_reading(wire, max_message);

    Dechunker dechunker(max_message, buffer);
    std::vector<Bytes> messages;
    for (std::span<const std::byte> rest = wire; !rest.empty();) {
        const auto part = rest.first(std::min(piece, rest.size()));
        const std::span<std::byte> room = dechunker.prepare(part.size());
        require(room.size() >= part.size());
        std::copy(part.begin(), part.end(), room.begin());
        dechunker.commit(part.size());
        rest = rest.subspan(part.size());
        while (const auto message = dechunker.next_message())
            messages.emplace_back(message->begin(), message->end());
    }
    require(messages == expected.messages);
    require(dechunker.keep_alives() == expected.keep_alives);
    require(dechunker.ok() == !expected.too_large);
    return 0;
}
