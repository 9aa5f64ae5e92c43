#pragma once

#include <hiredis/read.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "redis/reply.h"

namespace crossover::redis {

/// Appends a command as Redis reads it: what redisFormatCommandArgv makes, without a buffer of its own for
/// each.
void append_command(std::string& out, std::span<const std::string_view> words);
/// The same, word by word. A word ends with two bytes more.
void begin_command(std::string& out, std::size_t words);
void append_word(std::string& out, std::string_view word);

/// Bytes in, replies out: hiredis's reader, which makes our Reply at once. Never throws for what the bytes
/// say.
class ReplyDecoder {
  public:
    ReplyDecoder();
    ReplyDecoder(const ReplyDecoder&) = delete;
    ReplyDecoder& operator=(const ReplyDecoder&) = delete;

    enum class Outcome { reply, incomplete, broken };

    void feed(std::span<const std::byte> bytes);
    /// The next reply, if all of it was fed. After `broken` there is nothing more to be had.
    Outcome next(Reply& reply);
    /// Why it is broken.
    std::string fault() const;
    /// True when everything that was fed is used up.
    bool drained() const;

  private:
    struct Free {
        void operator()(redisReader* reader) const { redisReaderFree(reader); }
    };
    static Reply* place(const redisReadTask* task) noexcept;
    static void* make_text(const redisReadTask* task, char* text, std::size_t size) noexcept;
    static void* make_array(const redisReadTask* task, int size) noexcept;
    static void* make_integer(const redisReadTask* task, long long value) noexcept;
    static void* make_nil(const redisReadTask* task) noexcept;
    static void forget(void*) noexcept {}

    static redisReplyObjectFunctions functions_;
    Reply root_;
    bool too_large_ = false;
    std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace crossover::redis
