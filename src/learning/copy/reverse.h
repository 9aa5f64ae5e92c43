#pragma once

#include "learning/copy/copy.h"

namespace crossover::learning {

struct ReverseCounts {
    std::int64_t rows = 0, written = 0, unchanged = 0;
    std::int64_t expired = 0;  ///< rows whose time is over: they are not brought
    std::int64_t kept = 0;     ///< keys of Redis that are newer, or of another type
    std::int64_t blocked = 0;  ///< of those, of another type

    void add(const ReverseCounts& more);
};

struct ReverseResult {
    std::array<ReverseCounts, 4> kinds;
    bool complete = false;
    bool interrupted = false;
    std::optional<std::int64_t> reverse_through;  ///< as agentdb_state holds it now
    std::int64_t errors = 0;
    double seconds = 0;
    std::vector<std::string> notes;
};

/// Brings Redis up to date while PostgreSQL is the primary: each row goes to its key, byte for byte, with its
/// expiry, unless Redis has the same already or something newer. A key that is a hash stays one. Throws
/// `not_ready` when PostgreSQL is not the primary.
///
/// At the end of a complete run `agentdb_state.reverse_through` says which versions Redis surely has: all
/// that were given before the run, less ten seconds for a clock that is set back. A handover brings what is
/// newer.
ReverseResult run_reverse(const CopyOptions& options,
                          const std::function<void(const CopyProgress&)>& on_progress,
                          const std::stop_token& stop);

}  // namespace crossover::learning
