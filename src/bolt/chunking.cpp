#include "bolt/chunking.h"

#include <algorithm>
#include <cstring>

#include "bolt/packstream_endian.h"

namespace crossover::bolt {
namespace {

constexpr std::size_t kHeaderBytes = 2;

void append_header(std::size_t size, Bytes& out) {
    std::byte header[kHeaderBytes];
    store_big_endian(static_cast<std::uint16_t>(size), header);
    out.insert(out.end(), header, header + kHeaderBytes);
}

}  // namespace

void append_chunked(std::span<const std::byte> message, Bytes& out) {
    while (!message.empty()) {
        const auto chunk = message.first(std::min(message.size(), kMaxChunkBytes));
        append_header(chunk.size(), out);
        out.insert(out.end(), chunk.begin(), chunk.end());
        message = message.subspan(chunk.size());
    }
    append_header(0, out);
}

Dechunker::Dechunker(std::size_t max_message_bytes, std::size_t buffer_bytes)
    : buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes)),
      capacity_(buffer_bytes),
      max_message_bytes_(max_message_bytes) {}

std::span<std::byte> Dechunker::prepare(std::size_t minimum) {
    if (!in_message_) message_size_ = 0;
    const std::size_t pending = received_ - parsed_;
    if (message_size_ + pending == 0) {
        message_ = parsed_ = received_ = 0;
    }
    if (capacity_ - received_ < minimum) {
        const std::size_t needed = message_size_ + pending + minimum;
        std::byte* to = buffer_.get();
        std::unique_ptr<std::byte[]> larger;
        if (needed > capacity_) {
            capacity_ = std::max(needed, 2 * capacity_);
            larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
            to = larger.get();
        }
        std::memmove(to, buffer_.get() + message_, message_size_);
        std::memmove(to + message_size_, buffer_.get() + parsed_, pending);
        if (larger) buffer_ = std::move(larger);
        message_ = 0;
        parsed_ = message_size_;
        received_ = message_size_ + pending;
    }
    return {buffer_.get() + received_, capacity_ - received_};
}

void Dechunker::commit(std::size_t received) noexcept {
    received_ += std::min(received, capacity_ - received_);
}

std::optional<std::span<const std::byte>> Dechunker::next_message() noexcept {
    while (ok() && received_ - parsed_ >= kHeaderBytes) {
        const std::size_t size = load_big_endian<std::uint16_t>(buffer_.get() + parsed_);
        if (size == 0) {
            parsed_ += kHeaderBytes;
            if (!in_message_) {
                ++keep_alives_;
                continue;
            }
            in_message_ = false;
            return std::span<const std::byte>(buffer_.get() + message_, message_size_);
        }
        if (!in_message_) {
            in_message_ = true;
            message_size_ = 0;
        }
        if (message_size_ + size > max_message_bytes_) {
            too_large_ = true;
            break;
        }
        if (received_ - parsed_ < kHeaderBytes + size) break;
        const std::size_t payload = parsed_ + kHeaderBytes;
        if (message_size_ == 0) message_ = payload;
        const std::size_t joined = message_ + message_size_;
        if (joined != payload) std::memmove(buffer_.get() + joined, buffer_.get() + payload, size);
        message_size_ += size;
        parsed_ = payload + size;
    }
    return std::nullopt;
}

}  // namespace crossover::bolt
