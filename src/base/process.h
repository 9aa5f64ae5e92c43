#pragma once

#include <cstdint>
#include <string>

namespace crossover {

/// One run of a program on one machine. What could not be found out is empty.
struct ProcessIdentity {
    std::string machine;  ///< this boot of it, and the namespace in which process ids mean something
    std::int64_t pid = 0;
    std::string started;  ///< tells a process from a later one with the same id
};

/// `proc` is where the kernel shows its processes.
ProcessIdentity this_process(const std::string& proc = "/proc");

/// True only where it was seen to be gone: of a process on another machine, one that hides itself (hidepid),
/// or one of which too little is known, nobody here can say.
bool is_seen_dead(const ProcessIdentity& process, const std::string& proc = "/proc");

}  // namespace crossover
