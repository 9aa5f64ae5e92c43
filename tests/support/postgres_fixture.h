#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "postgres/connection.h"
#include "support/error_of.h"

namespace crossover::postgres::test {

inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(60));
}

/// A required setting: a missing server fails the tests, it never skips them.
inline std::string database_url() {
    const char* value = std::getenv("DATABASE_URL");
    if (value == nullptr) throw std::runtime_error("DATABASE_URL is not set: start the servers first");
    return value;
}

/// Each test gets a schema of its own, which all its sessions look into first; dropped at its end.
class PostgresTest : public testing::Test {
  protected:
    PostgresTest() : url_(database_url()), connection_(url_, soon()) {
        std::random_device random;
        schema_ = "t" + std::to_string(random());
        connection_.exec("CREATE SCHEMA " + schema_, soon());
        url_ += (url_.find('?') == std::string::npos ? "?" : "&");
        url_ += "options=-csearch_path%3D" + schema_;
        connection_.exec("SET search_path = " + schema_, soon());
    }
    ~PostgresTest() override { Connection(url_, soon()).exec("DROP SCHEMA " + schema_ + " CASCADE", soon()); }

    std::string text(const std::string& sql) {
        return std::string(connection_.exec(sql, soon()).value(0, 0));
    }

    std::string url_, schema_;
    Connection connection_;
};

}  // namespace crossover::postgres::test
