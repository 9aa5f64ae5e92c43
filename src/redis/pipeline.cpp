#include "redis/pipeline.h"

#include <fmt/format.h>

#include "redis/codec.h"
#include "redis/connection.h"

namespace crossover::redis {

void Pipeline::add(std::span<const std::string_view> words, std::size_t key_at) {
    if (full()) {
        throw Error(System::redis, ErrorKind::too_large,
                    fmt::format("A pipeline takes {} commands or {} bytes.", kMostCommands, kMostBytes));
    }
    Command command{};
    begin_command(bytes_, words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        append_word(bytes_, words[i]);
        if (i != key_at) continue;
        command.key_size = words[i].size();
        command.key_begin = bytes_.size() - 2 - command.key_size;
    }
    command.end = bytes_.size();
    commands_.push_back(command);
}

void Pipeline::clear() {
    bytes_.clear();
    commands_.clear();
}

std::string_view Pipeline::encoded(std::size_t command) const {
    const std::size_t begin = command == 0 ? 0 : commands_.at(command - 1).end;
    return std::string_view(bytes_).substr(begin, commands_.at(command).end - begin);
}

std::string_view Pipeline::key(std::size_t command) const {
    const auto& found = commands_.at(command);
    return std::string_view(bytes_).substr(found.key_begin, found.key_size);
}

std::vector<Reply> Pipeline::run(Connection& connection, Deadline deadline) const {
    std::vector<Reply> replies;
    if (empty()) return replies;
    replies.reserve(size());
    connection.send(bytes_, size(), deadline);
    while (replies.size() < size()) replies.push_back(connection.receive(deadline));
    return replies;
}

}  // namespace crossover::redis
