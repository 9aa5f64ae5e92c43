#include "agentdb/quarantine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "agentdb/json_text.h"
#include "core/error.h"
#include "core/text.h"

namespace crossover::agentdb {
namespace {

constexpr std::size_t kMostValue = 64 << 10;  ///< bytes of a value in its line
constexpr std::size_t kMostExamples = 5;

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes)
        fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
    return out;
}

/// Any bytes as text for JSON.
std::string quoted(std::string_view bytes) {
    std::string out;
    append_quoted(out, is_text(bytes) ? std::string(bytes) : key_text(bytes));
    return out;
}

std::string line_of(const Source& source, const std::string& reason) {
    std::string line = fmt::format("{{\"key\":{},", quoted(source.key));
    if (!is_text(source.key)) line += fmt::format("\"key_hex\":\"{}\",", hex(source.key));
    line += fmt::format("\"kind\":\"{}\",\"reason\":{}", name_of(source.kind), quoted(reason));
    std::size_t room = kMostValue;
    bool cut = false;
    const auto piece = [&](std::string_view bytes) {
        const auto part = bytes.substr(0, room);
        cut = cut || part.size() < bytes.size();
        room -= part.size();
        return base64(part);
    };
    if (source.type == Source::Type::hash) {
        line += ",\"type\":\"hash\",\"fields_base64\":[";
        const char* comma = "";
        for (const auto& [name, text] : source.fields) {
            if (room == 0) {
                cut = true;
                break;
            }
            line += fmt::format("{}[\"{}\",", comma, piece(name));
            line += fmt::format("\"{}\"]", piece(text));
            comma = ",";
        }
        line += ']';
    } else if (source.type == Source::Type::text) {
        line += fmt::format(",\"type\":\"string\",\"bytes\":{},\"value_base64\":\"{}\"", source.text.size(),
                            piece(source.text));
    } else if (source.type == Source::Type::other) {
        line += fmt::format(",\"type\":{}", quoted(source.type_name));
    } else {
        line += fmt::format(",\"type\":\"string\",\"bytes\":{}", source.size);
        cut = true;
    }
    return line + fmt::format(",\"truncated\":{}}}\n", cut);
}

[[noreturn]] void fail(const std::string& path, int error) {
    throw Error(
        System::file, ErrorKind::io,
        fmt::format("The quarantine file {} can't be written: {}. Name another with --quarantine-file.", path,
                    std::strerror(error)));
}

}  // namespace

Quarantine::Quarantine(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {
    if (path_.empty()) return;
    struct stat found {};
    if (lstat(path_.c_str(), &found) == 0 && S_ISLNK(found.st_mode) && stat(path_.c_str(), &found) == 0 &&
        S_ISREG(found.st_mode)) {
        throw Error(
            System::file, ErrorKind::io,
            fmt::format("The quarantine file {} is a link, and would not stay one. Name the file itself.",
                        path_));
    }
    if (stat(path_.c_str(), &found) == 0) {
        if (S_ISDIR(found.st_mode)) fail(path_, EISDIR);
        through_ = !S_ISREG(found.st_mode);
    }
}

Quarantine::~Quarantine() {
    discard();
}

void Quarantine::begin_look() {
    std::lock_guard lock(mutex_);
    seen_.clear();
    counts_ = {};
    examples_.clear();
    if (path_.empty()) return;
    discard();
    if (through_) {
        char unnamed[] = "/tmp/agentdb_quarantine.XXXXXX";
        file_ = mkostemp(unnamed, O_CLOEXEC);
        if (file_ < 0) fail(unnamed, errno);
        unlink(unnamed);
    } else {
        open_partial();
    }
}

/// A killed run's is taken over; one that is being written is left alone.
void Quarantine::open_partial() {
    for (;;) {
        // Mode 0600: it holds what users did.
        file_ = open(partial_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file_ < 0) fail(partial_, errno);
        if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
            const int error = errno;
            close(std::exchange(file_, -1));
            if (error != EWOULDBLOCK) fail(partial_, error);
            throw Error(
                System::file, ErrorKind::conflict,
                fmt::format("Another run is writing the quarantine file {}. Wait for it to end, or name "
                            "another with --quarantine-file.",
                            path_));
        }
        // Whoever held the lock before may have put the file in its place just then.
        struct stat locked {
        }, named{};
        if (fstat(file_, &locked) == 0 && lstat(partial_.c_str(), &named) == 0 &&
            locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) {
            break;
        }
        close(std::exchange(file_, -1));
    }
    if (ftruncate(file_, 0) != 0) fail(partial_, errno);
}

void Quarantine::discard() {
    if (file_ < 0) return;
    if (!through_) unlink(partial_.c_str());
    close(std::exchange(file_, -1));
}

void Quarantine::write(std::string_view line) {
    while (!line.empty()) {
        const auto written = ::write(file_, line.data(), line.size());
        if (written < 0 && errno != EINTR) fail(path_, errno);
        if (written > 0) line.remove_prefix(static_cast<std::size_t>(written));
    }
}

void Quarantine::add(const Source& source, const std::string& reason) {
    std::lock_guard lock(mutex_);
    if (!seen_.insert(std::hash<std::string>()(source.key)).second) return;
    ++counts_[index_of(source.kind)];
    if (examples_.size() < kMostExamples)
        examples_.push_back(fmt::format("{}: {}", key_text(source.key), reason));
    if (!path_.empty()) write(line_of(source, reason));
}

void Quarantine::finish_look() {
    std::lock_guard lock(mutex_);
    if (file_ < 0) return;
    if (through_) {
        write_through();
    } else if (seen_.empty() && access(path_.c_str(), F_OK) != 0) {
        unlink(partial_.c_str());
    } else if (fsync(file_) != 0 || rename(partial_.c_str(), path_.c_str()) != 0) {
        fail(path_, errno);
    }
    close(std::exchange(file_, -1));
}

void Quarantine::write_through() {
    const int out = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (out < 0) fail(path_, errno);
    const int lines = std::exchange(file_, out);
    lseek(lines, 0, SEEK_SET);
    char buffer[1 << 16];
    for (ssize_t size; (size = ::read(lines, buffer, sizeof buffer)) > 0;) {
        write({buffer, static_cast<std::size_t>(size)});
    }
    close(lines);
}

std::int64_t Quarantine::count(Kind kind) const {
    std::lock_guard lock(mutex_);
    return counts_[index_of(kind)];
}

std::vector<std::string> Quarantine::examples() const {
    std::lock_guard lock(mutex_);
    return examples_;
}

}  // namespace crossover::agentdb
