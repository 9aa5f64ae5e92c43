#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace crossover::cli {

/// A moment of something that takes long.
struct ProgressMoment {
    std::int64_t done = 0;
    std::int64_t expected = 0;  ///< 0 = not known
    double items_per_second = 0;
    std::optional<double> eta_seconds = {};
    std::string state = {};  ///< "copying"
    std::string aside = {};  ///< "2 quarantined", or empty
};

/// How the stream can be written to.
struct Terminal {
    bool is_terminal = false;
    bool colour = false;  ///< a terminal, and NO_COLOR is not set
    bool unicode = false;
    int width = 80;
};
Terminal inspect_terminal(std::FILE* stream);

/// One line that fits the width: "  62 % ██████░░░░  93,000 of 150,000  12,345 items/s  4 min left  copying".
std::string progress_bar(const ProgressMoment& moment, const Terminal& terminal);
/// "copying: 62 %, 93,000 of 150,000 items, 12,345 items/s, 4 minutes left, 2 quarantined"
std::string progress_sentence(const ProgressMoment& moment);

/// Cuts to `columns` columns, with "…" where something was cut. Counts a code point as one column.
std::string fit(std::string_view utf8, int columns, bool unicode);

/// Shows progress on stderr: a line redrawn on a terminal; elsewhere a line every five seconds and at each
/// change of state. Log lines appear above it. Thread-safe.
class ProgressView {
  public:
    ProgressView();
    /// Removes the bar.
    ~ProgressView();
    void show(const ProgressMoment& moment);
    /// A line of its own, above the bar.
    void print_line(std::string_view line);
    void clear();

  private:
    void erase();

    std::mutex mutex_;
    bool bar_visible_ = false;
    std::string last_bar_;
    std::string last_state_;
    std::optional<std::chrono::steady_clock::time_point> last_line_;
};

}  // namespace crossover::cli
