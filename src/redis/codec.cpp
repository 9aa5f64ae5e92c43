#include "redis/codec.h"

#include <algorithm>
#include <charconv>
#include <new>

namespace crossover::redis {

namespace {

/// What may lie here undecoded. Redis's own limit for a value is 512 MB.
constexpr std::size_t kMostBuffered = std::size_t{1} << 30;
/// What an array is given room for before its elements are there: a size that is only claimed costs nothing.
constexpr int kMostReserved = 1'024;

void append_header(std::string& out, char sign, std::size_t number) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out += sign;
    out.append(digits, end);
    out += "\r\n";
}

}  // namespace

void begin_command(std::string& out, std::size_t words) {
    append_header(out, '*', words);
}

void append_word(std::string& out, std::string_view word) {
    append_header(out, '$', word.size());
    out += word;
    out += "\r\n";
}

void append_command(std::string& out, std::span<const std::string_view> words) {
    begin_command(out, words.size());
    for (const auto word : words) append_word(out, word);
}

redisReplyObjectFunctions ReplyDecoder::functions_ = {make_text, make_array, make_integer, make_nil, forget};

ReplyDecoder::ReplyDecoder() : reader_(redisReaderCreateWithFunctions(&functions_)) {
    if (!reader_) throw std::bad_alloc();
    reader_->maxbuf = 0;  // keep the buffer from one reply to the next
    reader_->privdata = this;
}

void ReplyDecoder::feed(std::span<const std::byte> bytes) {
    if (reader_->len - reader_->pos + bytes.size() > kMostBuffered) {
        too_large_ = true;
        return;
    }
    redisReaderFeed(reader_.get(), reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

ReplyDecoder::Outcome ReplyDecoder::next(Reply& reply) {
    if (too_large_) return Outcome::broken;
    void* made = nullptr;
    if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) return Outcome::broken;
    if (made == nullptr) return Outcome::incomplete;
    reply = std::move(root_);
    return Outcome::reply;
}

std::string ReplyDecoder::fault() const {
    return too_large_ ? "an answer of more than 1 GiB" : reader_->errstr;
}

bool ReplyDecoder::drained() const {
    const bool between = reader_->ridx == -1 || (reader_->ridx == 0 && reader_->rstack[0].type == -1);
    return between && reader_->pos == reader_->len;
}

/// Where the value of a task goes. An array that grows moves its elements, but of those only the last is
/// unfinished, and nobody keeps a pointer to the others.
Reply* ReplyDecoder::place(const redisReadTask* task) noexcept {
    try {
        if (task->parent != nullptr) return &static_cast<Reply*>(task->parent->obj)->elements.emplace_back();
        auto& root = static_cast<ReplyDecoder*>(task->privdata)->root_;
        root = Reply();
        return &root;
    } catch (const std::bad_alloc&) {
        return nullptr;  // which hiredis reports
    }
}

void* ReplyDecoder::make_text(const redisReadTask* task, char* text, std::size_t size) noexcept {
    auto* reply = place(task);
    if (reply == nullptr) return nullptr;
    reply->kind = task->type == REDIS_REPLY_ERROR ? Reply::Kind::error : Reply::Kind::text;
    try {
        reply->text.emplace(text, size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
    return reply;
}

void* ReplyDecoder::make_array(const redisReadTask* task, int size) noexcept {
    auto* reply = place(task);
    if (reply == nullptr) return nullptr;
    reply->kind = Reply::Kind::array;
    try {
        reply->elements.reserve(static_cast<std::size_t>(std::clamp(size, 0, kMostReserved)));
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
    return reply;
}

void* ReplyDecoder::make_integer(const redisReadTask* task, long long value) noexcept {
    auto* reply = place(task);
    if (reply == nullptr) return nullptr;
    reply->kind = Reply::Kind::integer;
    reply->integer = value;
    reply->text = std::to_string(value);  // at most 20 characters
    return reply;
}

void* ReplyDecoder::make_nil(const redisReadTask* task) noexcept {
    return place(task);
}

}  // namespace crossover::redis
