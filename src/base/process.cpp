#include "base/process.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace crossover {

namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// Clock ticks after boot when a process began. Empty when it can't be seen.
std::string start_time_of(std::int64_t pid, const std::string& proc) {
    const std::string stat = first_line(fmt::format("{}/{}/stat", proc, pid));
    // The name in parentheses may hold anything; the 22nd field counts from behind it.
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos) return {};
    std::istringstream fields(stat.substr(name_end + 1));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    return fields ? field : std::string();
}

/// Empty unless both parts are known: either alone is the same on many machines.
std::string this_machine(const std::string& proc) {
    const auto boot = first_line(proc + "/sys/kernel/random/boot_id");
    std::array<char, 256> space{};
    const ssize_t length = ::readlink((proc + "/self/ns/pid").c_str(), space.data(), space.size() - 1);
    if (boot.empty() || length <= 0) return {};
    return boot + "/" + std::string(space.data(), static_cast<std::size_t>(length));
}

}  // namespace

ProcessIdentity this_process(const std::string& proc) {
    const std::int64_t pid = ::getpid();
    return {this_machine(proc), pid, start_time_of(pid, proc)};
}

bool is_seen_dead(const ProcessIdentity& process, const std::string& proc) {
    if (process.pid <= 0 || process.machine.empty() || process.machine != this_machine(proc)) return false;
    // The kernel answers this for processes that /proc hides, too.
    if (::kill(static_cast<pid_t>(process.pid), 0) != 0 && errno == ESRCH) return true;
    const auto started = start_time_of(process.pid, proc);
    return !started.empty() && !process.started.empty() && started != process.started;
}

}  // namespace crossover
