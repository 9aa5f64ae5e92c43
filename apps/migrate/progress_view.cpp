#include "progress_view.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "log/log.h"

namespace crossover::cli {
namespace {

constexpr std::chrono::seconds kLineInterval{5};
constexpr int kBarColumns = 24;
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kBold = "\x1b[1m";
constexpr const char* kPlain = "\x1b[0m";
constexpr const char* kEraseLine = "\r\x1b[K";

std::optional<double> fraction_of(const ProgressMoment& moment) {
    if (moment.expected <= 0) return std::nullopt;
    return std::clamp(static_cast<double>(moment.done) / static_cast<double>(moment.expected), 0.0, 1.0);
}

/// 100 only when nothing is left.
int percent_of(double fraction) {
    return static_cast<int>(std::floor(fraction * 100));
}

int columns_of(std::string_view utf8) {
    return static_cast<int>(
        std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

std::string bar(double fraction, bool unicode) {
    if (!unicode) {
        const auto full = static_cast<std::size_t>(fraction * kBarColumns);
        return "[" + std::string(full, '#') + std::string(kBarColumns - full, '.') + "]";
    }
    static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int eighths = static_cast<int>(fraction * kBarColumns * 8);
    std::string text;
    for (int i = 0; i < eighths / 8; ++i) text += "█";
    text += kEighths[eighths % 8];
    for (int i = (eighths + 7) / 8; i < kBarColumns; ++i) text += "░";
    return text;
}

}  // namespace

Terminal inspect_terminal(std::FILE* stream) {
    Terminal terminal;
    const char* kind = std::getenv("TERM");
    terminal.is_terminal = isatty(fileno(stream)) == 1 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
    const char* no_colour = std::getenv("NO_COLOR");
    terminal.colour = terminal.is_terminal && (no_colour == nullptr || *no_colour == '\0');
    terminal.unicode = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    winsize size{};
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
    return terminal;
}

std::string fit(std::string_view utf8, int columns, bool unicode) {
    if (columns <= 0) return {};
    if (columns_of(utf8) <= columns) return std::string(utf8);
    const std::string_view mark = unicode ? "…" : "...";
    const int room = std::max(0, columns - columns_of(mark));
    int used = 0;
    std::size_t end = 0;
    while (end < utf8.size()) {
        std::size_t next = end + 1;
        while (next < utf8.size() && (utf8[next] & 0xC0) == 0x80) ++next;
        if (used == room) break;
        ++used;
        end = next;
    }
    return std::string(utf8.substr(0, end)) + std::string(columns >= columns_of(mark) ? mark : "");
}

std::string progress_bar(const ProgressMoment& moment, const Terminal& terminal) {
    // The last column stays free: some terminals wrap once it is written.
    int left = terminal.width - 1;
    std::string line;
    const auto add = [&](const std::string& text, const char* style = nullptr) {
        const std::string gap = line.empty() ? "" : "  ";
        if (columns_of(gap + text) > left) return false;
        left -= columns_of(gap + text);
        line += gap;
        line += style != nullptr && terminal.colour ? style + text + kPlain : text;
        return true;
    };
    const auto fraction = fraction_of(moment);
    if (fraction) add(fmt::format("{:3} %", percent_of(*fraction)), kBold);
    // What matters most comes first; what does not fit is left out, the state is cut.
    std::vector<std::string> parts;
    if (fraction && terminal.width >= 72) parts.push_back(bar(*fraction, terminal.unicode));
    if (fraction) {
        parts.push_back(
            fmt::format("{} of {}", with_separators(moment.done), with_separators(moment.expected)));
    } else if (moment.done > 0) {
        parts.push_back(with_separators(moment.done));
    }
    if (moment.items_per_second > 0) parts.push_back(rate_text(moment.items_per_second));
    if (moment.eta_seconds && moment.items_per_second > 0) {
        parts.push_back(duration_text(*moment.eta_seconds) + " left");
    }
    if (!moment.aside.empty()) parts.push_back(moment.aside);
    for (const auto& part : parts) {
        if (!add(part)) break;
    }
    const auto state = fit(moment.state, line.empty() ? left : left - 2, terminal.unicode);
    if (columns_of(state) > 3) add(state, kDim);
    return line;
}

std::string progress_sentence(const ProgressMoment& moment) {
    std::vector<std::string> parts;
    if (const auto fraction = fraction_of(moment)) {
        parts.push_back(fmt::format("{} %", percent_of(*fraction)));
        parts.push_back(
            fmt::format("{} of {} items", with_separators(moment.done), with_separators(moment.expected)));
    } else if (moment.done > 0) {
        parts.push_back(counted(moment.done, "item", "items"));
    }
    if (moment.items_per_second > 0) parts.push_back(rate_text(moment.items_per_second));
    if (moment.eta_seconds && moment.items_per_second > 0) {
        parts.push_back(duration_text(*moment.eta_seconds) + " left");
    }
    if (!moment.aside.empty()) parts.push_back(moment.aside);
    if (parts.empty()) return moment.state;
    return fmt::format("{}: {}", moment.state, fmt::join(parts, ", "));
}

ProgressView::ProgressView() {
    set_log_writer([this](std::string_view line) {
        if (line.ends_with('\n')) line.remove_suffix(1);
        print_line(line);
    });
}

ProgressView::~ProgressView() {
    set_log_writer({});
    clear();
}

void ProgressView::show(const ProgressMoment& moment) {
    std::lock_guard lock(mutex_);
    const auto terminal = inspect_terminal(stderr);
    if (terminal.is_terminal) {
        auto bar = progress_bar(moment, terminal);
        if (bar_visible_ && bar == last_bar_) return;
        fmt::print(stderr, "{}{}", kEraseLine, bar);
        std::fflush(stderr);
        last_bar_ = std::move(bar);
        bar_visible_ = true;
        return;
    }
    // Numbers in a state change all the time: it is another one when its words are.
    std::string words = moment.state;
    std::erase_if(words, [](unsigned char c) { return std::isdigit(c) != 0; });
    const auto now = std::chrono::steady_clock::now();
    if (words == last_state_ && last_line_ && now - *last_line_ < kLineInterval) return;
    last_state_ = std::move(words);
    last_line_ = now;
    fmt::print(stderr, "{}\n", progress_sentence(moment));
}

void ProgressView::print_line(std::string_view line) {
    std::lock_guard lock(mutex_);
    erase();
    fmt::print(stderr, "{}\n", line);
}

void ProgressView::clear() {
    std::lock_guard lock(mutex_);
    erase();
}

void ProgressView::erase() {
    if (!bar_visible_) return;
    fmt::print(stderr, "{}", kEraseLine);
    std::fflush(stderr);
    bar_visible_ = false;
}

}  // namespace crossover::cli
