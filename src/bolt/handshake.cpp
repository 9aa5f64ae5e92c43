#include "bolt/handshake.h"

#include <fmt/format.h>

#include <array>

namespace crossover::bolt {

namespace {

constexpr std::array<std::uint8_t, 20> kGreeting = {
    0x60, 0x60, 0xB0, 0x17,  // "GOGOBOLT"
    0x00, 0x00, 0x01, 0xFF,  // manifest, version 1
    0x00, 0x00, 0x00, 0x06,  // 6.0
    0x00, 0x08, 0x08, 0x05,  // 5.8 down to 5.0
    0x00, 0x00, 0x00, 0x00,
};

// More than any server will ever offer; a bound against nonsense.
constexpr std::uint64_t kMaxRanges = 1024;

}  // namespace

std::string to_string(Version version) {
    return fmt::format("{}.{}", version.major, version.minor);
}

bool is_supported(Version version) {
    return (version.major == 5 && version.minor <= 8) || version == kNewestVersion;
}

std::span<const std::byte> Handshake::greeting() {
    return std::as_bytes(std::span(kGreeting));
}

Handshake::State Handshake::feed(std::span<const std::byte> bytes, std::size_t& used) {
    used = 0;
    while (state_ == State::need_more && used < bytes.size()) take(static_cast<std::uint8_t>(bytes[used++]));
    return state_;
}

void Handshake::take(std::uint8_t byte) {
    switch (step_) {
        case Step::first_word:
        case Step::range:
            word_[word_size_++] = byte;
            if (word_size_ == 4) {
                word_size_ = 0;
                take_word();
            }
            break;
        case Step::range_count:
            if (!take_varint(byte)) break;
            ranges_left_ = varint_;
            varint_ = 0;
            varint_shift_ = 0;
            if (ranges_left_ > kMaxRanges) {
                state_ = State::malformed;
            } else {
                step_ = ranges_left_ == 0 ? Step::capabilities : Step::range;
            }
            break;
        case Step::capabilities:
            if (take_varint(byte)) finish_manifest();
            break;
    }
}

void Handshake::take_word() {
    const Version high{word_[3], word_[2]};
    if (step_ == Step::range) {
        // [0, how many minors below, minor, major]: the highest that we know counts.
        for (int minor = high.minor; minor >= 0 && minor >= high.minor - word_[1]; --minor) {
            const Version offered{high.major, static_cast<std::uint8_t>(minor)};
            if (is_supported(offered) && (!best_ || *best_ < offered)) best_ = offered;
        }
        if (--ranges_left_ == 0) step_ = Step::capabilities;
        return;
    }
    if (word_[0] == 'H' && word_[1] == 'T' && word_[2] == 'T' && word_[3] == 'P') {
        peer_ = Peer::http;
        state_ = State::not_bolt;
    } else if (word_[0] == 0x15 && word_[1] == 0x03) {  // a TLS alert
        peer_ = Peer::tls;
        state_ = State::not_bolt;
    } else if (word_[0] != 0) {
        state_ = State::not_bolt;
    } else if (word_[2] == 0x01 && word_[3] == 0xFF) {
        step_ = Step::range_count;
    } else if (is_supported(high)) {
        version_ = high;
        state_ = State::done;
    } else {
        state_ = high == Version{} ? State::no_common_version : State::malformed;
    }
}

bool Handshake::take_varint(std::uint8_t byte) {
    if (varint_shift_ > 63 || (varint_shift_ == 63 && byte > 1)) {
        state_ = State::malformed;
        return false;
    }
    varint_ |= static_cast<std::uint64_t>(byte & 0x7F) << varint_shift_;
    varint_shift_ += 7;
    return (byte & 0x80) == 0;
}

void Handshake::finish_manifest() {
    if (!best_) {
        state_ = State::no_common_version;
        return;
    }
    version_ = *best_;
    // The chosen version, and that we use none of the server's capabilities.
    for (const std::uint8_t byte :
         {std::uint8_t{0}, std::uint8_t{0}, version_.minor, version_.major, std::uint8_t{0}}) {
        reply_.push_back(static_cast<std::byte>(byte));
    }
    state_ = State::done;
}

}  // namespace crossover::bolt
