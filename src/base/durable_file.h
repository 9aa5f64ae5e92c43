#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace crossover {

/// Files that survive a crash and do not fall for links. All throw Error(System::file, io | conflict), naming
/// the file and what to do.

/// The whole content; empty where there is no file. Refuses links, other than regular files, files of another
/// user, and more than `max_bytes`.
std::optional<std::string> read_private_file(const std::string& path, std::size_t max_bytes);

/// Replaces the content at once: temporary file beside it (mode 0600, never through a link), sync, rename,
/// sync of the folder. On failure what was there still is.
void replace_private_file(const std::string& path, std::string_view content);

/// A file that grows by appends, with mode 0600, never opened through a link, and locked: of one process at a
/// time.
class AppendFile {
  public:
    /// Opens or creates. With a `length`, cuts the file to it: what lies beyond was written by a run that did
    /// not get to count it; throws `conflict` where the file is shorter. Without, goes on at its end. Throws
    /// `conflict` too while another has it open.
    AppendFile(std::string path, std::optional<std::int64_t> length);
    ~AppendFile();
    AppendFile(const AppendFile&) = delete;
    AppendFile& operator=(const AppendFile&) = delete;

    /// All or nothing: on failure the file is cut back to what it was.
    void append(std::string_view bytes);
    /// Forgets everything beyond `length`; throws `conflict` where the file is shorter.
    void cut(std::int64_t length);
    /// Returns when the bytes are on the disk.
    void sync();
    /// Syncs, and gives the file this name instead of its own, in place of what had it; the lock stays.
    void rename_to(const std::string& path);
    std::int64_t length() const { return length_; }

  private:
    std::string path_;
    int descriptor_ = -1;
    std::int64_t length_ = 0;
};

}  // namespace crossover
