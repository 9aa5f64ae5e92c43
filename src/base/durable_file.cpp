#include "base/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"

namespace crossover {

namespace {

class Descriptor {
  public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(Descriptor&& other) noexcept : value_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    int get() const { return value_; }
    int release() { return std::exchange(value_, -1); }

  private:
    int value_;
};

[[noreturn]] void fail(const std::string& action, const std::string& path, int error) {
    std::string advice = "Check the path and its permissions.";
    if (error == ENOSPC || error == EDQUOT) advice = "Free some space, then run the same command again.";
    if (error == EROFS) advice = "The file system is read-only: choose another place for this file.";
    if (error == EACCES || error == EPERM) advice = "Choose a place that this user may write to.";
    if (error == ENOENT) advice = "Does its folder exist?";
    throw Error(System::file, ErrorKind::io,
                fmt::format("Cannot {} {}: {}. {}", action, path, std::strerror(error), advice));
}

/// Refuses what a careless or hostile neighbour may have put there, above all in /tmp.
void require_own_regular_file(int descriptor, const std::string& path) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) fail("inspect", path, errno);
    if (!S_ISREG(status.st_mode)) {
        throw Error(System::file, ErrorKind::conflict,
                    fmt::format("{} is not a regular file. Name another file, or remove it.", path));
    }
    if (status.st_uid != ::geteuid()) {
        throw Error(
            System::file, ErrorKind::conflict,
            fmt::format("{} belongs to user id {}, not to the user running this command. Name another "
                        "file, or have its owner remove it.",
                        path, status.st_uid));
    }
}

int open_without_links(const std::string& path, int flags, const char* action) {
    const int descriptor = ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (descriptor < 0 && errno == ELOOP) {
        throw Error(System::file, ErrorKind::conflict,
                    fmt::format("{} is a symbolic link, which is not followed. Name the real file, or remove "
                                "the link.",
                                path));
    }
    if (descriptor < 0 && errno != ENOENT) fail(action, path, errno);
    return descriptor;
}

bool write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

void sync_folder_of(const std::string& path) {
    const auto parent = std::filesystem::path(path).parent_path();
    const std::string name = parent.empty() ? "." : parent.string();
    const Descriptor folder(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0 || ::fsync(folder.get()) != 0) fail("sync the folder of", path, errno);
}

/// Opened and locked. Empty where the file was renamed by whoever had it locked before.
std::optional<Descriptor> try_to_lock(const std::string& path) {
    Descriptor file(open_without_links(path, O_WRONLY | O_APPEND | O_CREAT, "open"));
    if (file.get() < 0) fail("open", path, errno);
    require_own_regular_file(file.get(), path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) fail("lock", path, errno);
        throw Error(System::file, ErrorKind::conflict,
                    fmt::format("{} is being written by another run. Name another file for this one, or wait "
                                "until that one has ended.",
                                path));
    }
    struct stat locked {
    }, named{};
    if (::fstat(file.get(), &locked) != 0) fail("inspect", path, errno);
    const bool same =
        ::lstat(path.c_str(), &named) == 0 && locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
    if (!same) return std::nullopt;
    return file;
}

}  // namespace

std::optional<std::string> read_private_file(const std::string& path, std::size_t max_bytes) {
    const Descriptor file(open_without_links(path, O_RDONLY, "open"));
    if (file.get() < 0) return std::nullopt;
    require_own_regular_file(file.get(), path);
    std::string content;
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
        if (count < 0) {
            if (errno == EINTR) continue;
            fail("read", path, errno);
        }
        if (count == 0) return content;
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > max_bytes) {
            throw Error(
                System::file, ErrorKind::conflict,
                fmt::format("{} is larger than {} bytes: this is no file of ours. Name another file, or "
                            "remove it.",
                            path, max_bytes));
        }
    }
}

void replace_private_file(const std::string& path, std::string_view content) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        throw Error(
            System::file, ErrorKind::conflict,
            fmt::format("{} is a link or not a regular file, and is not replaced. Name another file, or "
                        "remove it.",
                        path));
    }
    const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
    // A leftover of a crashed process that had this pid.
    ::unlink(temporary.c_str());
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) fail("create", temporary, errno);
    const bool written = write_all(file.get(), content) && ::fsync(file.get()) == 0;
    if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        fail("write", path, error);
    }
    sync_folder_of(path);
}

AppendFile::AppendFile(std::string path, std::optional<std::int64_t> length) : path_(std::move(path)) {
    auto file = try_to_lock(path_);
    while (!file) file = try_to_lock(path_);
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) fail("inspect", path_, errno);
    length_ = status.st_size;
    descriptor_ = file->get();
    if (length) cut(*length);
    file->release();
}

AppendFile::~AppendFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::append(std::string_view bytes) {
    if (!write_all(descriptor_, bytes)) {
        const int error = errno;
        if (::ftruncate(descriptor_, length_) != 0) fail("cut back", path_, errno);
        fail("write", path_, error);
    }
    length_ += static_cast<std::int64_t>(bytes.size());
}

void AppendFile::cut(std::int64_t length) {
    if (length > length_) {
        throw Error(System::file, ErrorKind::conflict,
                    fmt::format("{} has {} bytes, but the checkpoint has counted {}: it was cut or replaced. "
                                "Restore it, or remove both it and the checkpoint to start over.",
                                path_, length_, length));
    }
    if (::ftruncate(descriptor_, length) != 0) fail("cut", path_, errno);
    length_ = length;
}

void AppendFile::sync() {
    if (::fdatasync(descriptor_) != 0) fail("sync", path_, errno);
}

void AppendFile::rename_to(const std::string& path) {
    sync();
    if (::rename(path_.c_str(), path.c_str()) != 0) fail("write", path, errno);
    path_ = path;
    sync_folder_of(path_);
}

}  // namespace crossover
