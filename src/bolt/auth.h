#pragma once

#include <string>

#include "bolt/value.h"

namespace crossover::bolt {

/// Who we say we are. Never printed.
class AuthToken {
  public:
    static AuthToken none() { return AuthToken({{"scheme", "none"}}, ""); }
    static AuthToken basic(const std::string& user, const std::string& password,
                           const std::string& realm = {}) {
        AuthToken token({{"scheme", "basic"}, {"principal", user}, {"credentials", password}}, user);
        if (!realm.empty()) token.fields_.set("realm", realm);
        return token;
    }
    static AuthToken bearer(const std::string& token) {
        return AuthToken({{"scheme", "bearer"}, {"credentials", token}}, "");
    }

    /// As HELLO (5.0) or LOGON (from 5.1) carries it.
    const Map& fields() const { return fields_; }
    /// For messages; empty where there is none.
    const std::string& user() const { return user_; }

  private:
    AuthToken(Map fields, std::string user) : fields_(std::move(fields)), user_(std::move(user)) {}
    Map fields_;
    std::string user_;
};

}  // namespace crossover::bolt
