#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/durable_file.h"
#include "learning/store/record.h"

namespace crossover::learning {

/// What could not be copied, and why: NDJSON, one line a key. Each look at all keys makes the file anew, as
/// `<path>.partial`, and it takes the former one's place when the look is complete: so no run doubles lines,
/// and a killed one leaves the former file. Where the path names what is no regular file (/dev/null, a pipe)
/// the lines are written to it. Thread-safe. Remembers 8 bytes of each key.
class Quarantine {
  public:
    /// An empty path: counts, but writes nothing. Throws System::file where it could not be a file.
    explicit Quarantine(std::string path);
    ~Quarantine();
    Quarantine(const Quarantine&) = delete;
    Quarantine& operator=(const Quarantine&) = delete;

    /// Forgets all. To be called before the first `add`. Throws System::file, also when another run is at it.
    void begin_look();
    /// A key that was added before is not added again.
    void add(const Source& source, const std::string& reason);
    /// Puts the file in place. Without a line there is no file, and a former one goes empty.
    void finish_look();

    std::int64_t count(Kind kind) const;
    /// The first few reasons, for a person: "rl:experience:7: reward is missing".
    std::vector<std::string> examples() const;

  private:
    using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

    void discard();
    void write(const std::string& line);
    void write_through();

    const std::string path_;
    const std::string partial_;
    bool through_ = false;  ///< the path is a device or a pipe, which stays one
    std::optional<AppendFile> file_;
    File lines_{nullptr, std::fclose};  ///< where it is one
    mutable std::mutex mutex_;
    std::unordered_set<std::uint64_t> seen_;
    std::array<std::int64_t, 4> counts_{};
    std::vector<std::string> examples_;
};

}  // namespace crossover::learning
