#include "learning/copy/quarantine.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/encodings.h"
#include "base/error.h"
#include "learning/store/json_text.h"

namespace crossover::learning {
namespace {

constexpr std::size_t kMostValue = 64 << 10;  ///< bytes of a value in its line
constexpr std::size_t kMostExamples = 5;

/// Any bytes as text for JSON.
std::string printable(std::string_view bytes) {
    std::string out;
    append_quoted(out, is_text(bytes) ? std::string(bytes) : key_text(bytes));
    return out;
}

std::string line_of(const Source& source, const std::string& reason) {
    std::string line = fmt::format("{{\"key\":{},", printable(source.key));
    if (!is_text(source.key)) line += fmt::format("\"key_hex\":\"{}\",", hex(source.key));
    line += fmt::format("\"kind\":\"{}\",\"reason\":{}", name_of(source.kind), printable(reason));
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
        line += fmt::format(",\"type\":{}", printable(source.type_name));
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
    namespace fs = std::filesystem;
    if (path_.empty()) return;
    std::error_code ignored;
    const auto type = fs::status(path_, ignored).type();
    if (type == fs::file_type::regular && fs::is_symlink(path_, ignored)) {
        throw Error(
            System::file, ErrorKind::io,
            fmt::format("The quarantine file {} is a link, and would not stay one. Name the file itself.",
                        path_));
    }
    if (type == fs::file_type::directory) fail(path_, EISDIR);
    through_ =
        type != fs::file_type::regular && type != fs::file_type::not_found && type != fs::file_type::none;
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
        lines_.reset(std::tmpfile());  // has no name, and goes with the process
        if (!lines_) fail("in the folder for temporary files", errno);
        return;
    }
    try {
        file_.emplace(partial_, 0);  // a killed run's is taken over
    } catch (const Error& error) {
        throw Error(error.system(), error.kind(), fmt::format("{} (--quarantine-file)", error.what()));
    }
}

void Quarantine::discard() {
    lines_.reset();
    if (!file_) return;
    std::error_code ignored;
    std::filesystem::remove(partial_, ignored);
    file_.reset();
}

void Quarantine::write(const std::string& line) {
    if (file_) file_->append(line);
    if (lines_ && std::fwrite(line.data(), 1, line.size(), lines_.get()) != line.size()) fail(path_, errno);
}

void Quarantine::add(const Source& source, const std::string& reason) {
    std::lock_guard lock(mutex_);
    if (!seen_.insert(std::hash<std::string>()(source.key)).second) return;
    ++counts_[index_of(source.kind)];
    if (examples_.size() < kMostExamples)
        examples_.push_back(fmt::format("{}: {}", key_text(source.key), reason));
    if (file_ || lines_) write(line_of(source, reason));
}

void Quarantine::finish_look() {
    std::lock_guard lock(mutex_);
    if (lines_) write_through();
    std::error_code ignored;
    if (file_ && (!seen_.empty() || std::filesystem::exists(path_, ignored))) {
        file_->rename_to(path_);
        file_.reset();
    }
    discard();
}

void Quarantine::write_through() {
    const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    const File out(descriptor < 0 ? nullptr : ::fdopen(descriptor, "w"), std::fclose);
    if (!out) fail(path_, errno);
    std::rewind(lines_.get());
    std::array<char, 1 << 16> buffer;
    while (const auto size = std::fread(buffer.data(), 1, buffer.size(), lines_.get())) {
        if (std::fwrite(buffer.data(), 1, size, out.get()) != size) fail(path_, errno);
    }
    if (std::fflush(out.get()) != 0) fail(path_, errno);
}

std::int64_t Quarantine::count(Kind kind) const {
    std::lock_guard lock(mutex_);
    return counts_[index_of(kind)];
}

std::vector<std::string> Quarantine::examples() const {
    std::lock_guard lock(mutex_);
    return examples_;
}

}  // namespace crossover::learning
