#pragma once

#include <span>
#include <string>
#include <vector>

#include "learning/copy/copy.h"

/// A look at a few values before all of them: what is spelt otherwise than we know is asked about first, not
/// quarantined one by one.
namespace crossover::learning {

/// A field that most of the values lack.
struct FieldGuess {
    Kind kind = Kind::experience;
    std::string missing;      ///< its usual name
    std::string looks_like;   ///< what they have instead, by name and type; or empty
    std::int64_t values = 0;  ///< looked at
    std::int64_t lacking = 0;

    /// "Of 200 Q values looked at, 200 lack 'value'; 'q_value' looks like it: …"
    std::string text() const;
};

/// Of values of one kind. Fields in `options.given_fields` are not guessed at.
std::vector<FieldGuess> guess_fields(std::span<const Source> values, const CopyOptions& options);

/// Looks at some hundred experiences and Q values. Reads Redis only.
std::vector<FieldGuess> sample_fields(Stores& stores, const CopyOptions& options);
/// The same on a connection of its own: for a preflight. Throws crossover::Error of System::redis at the
/// first failure.
std::vector<FieldGuess> sample_fields(const CopyOptions& options);

/// `not_ready` with the first guess that has a look-alike; nothing where none has.
std::optional<Error> refuse_guesses(std::span<const FieldGuess> guesses, const std::string& server);

}  // namespace crossover::learning
