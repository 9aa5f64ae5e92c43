#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <thread>

#include "milvus/client.h"

namespace crossover::milvus::test {

/// A required setting: a missing server fails the tests, it never skips them.
inline std::string environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr)
        throw std::runtime_error(std::string(name) + " is not set: start the servers first");
    return value;
}

inline ClientConfig config() {
    ClientConfig config;
    config.uri = environment("MILVUS_URI");
    config.token = environment("MILVUS_TOKEN");
    config.database = environment("MILVUS_DATABASE");
    return config;
}

inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(60));
}

/// Asks until it holds, at most a minute.
inline bool eventually(const std::function<bool()>& holds) {
    const auto end = soon();
    while (!holds()) {
        if (end.passed()) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
}

template <class Call>
ErrorKind kind_thrown_by(Call call, std::string* message = nullptr) {
    try {
        call();
    } catch (const Error& error) {
        if (message != nullptr) *message = error.what();
        EXPECT_EQ(error.system(), System::milvus) << error.what();
        EXPECT_FALSE(error.native_code().empty() && error.kind() != ErrorKind::usage &&
                     error.kind() != ErrorKind::too_large)
            << error.what();
        return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::internal;
}

/// Each test gets a collection name of its own, dropped at its end whatever happened.
class MilvusTest : public testing::Test {
  protected:
    MilvusTest() : client(config()) {
        std::random_device random;
        name = "crossover_test_" + std::to_string(random()) + std::to_string(random());
    }
    ~MilvusTest() override {
        try {
            for (const auto& alias : client.list_aliases(name, soon())) client.drop_alias(alias, soon());
            client.drop_collection(name, soon());
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
    }

    CollectionSpec spec(IdKind kind = IdKind::string) const {
        CollectionSpec spec;
        spec.name = name;
        spec.id_kind = kind;
        spec.dimension = kDimension;
        spec.description = "made by a test";
        spec.properties = {{"title", DataType::varchar, false, 1000},
                           {"year", DataType::int64},
                           {"rating", DataType::float64},
                           {"seen", DataType::boolean}};
        return spec;
    }

    void create_ready(const CollectionSpec& wanted) {
        client.create_collection(wanted, soon());
        client.create_index(wanted.ref(), IndexSpec{}, soon());
        client.load(wanted.name, soon());
        ASSERT_TRUE(
            eventually([&] { return client.load_progress(wanted.name, soon()).state == LoadState::loaded; }));
    }

    /// Rows whose content follows from their id's position and a version.
    ColumnBatch batch(std::vector<ItemId> ids, std::int64_t version = 1) {
        ColumnBatch rows;
        rows.dimension = kDimension;
        Column title{"title", std::vector<std::string>()}, year{"year", std::vector<std::int64_t>()};
        Column rating{"rating", std::vector<double>()}, seen{"seen", std::vector<std::uint8_t>()};
        std::normal_distribution<float> normal;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            for (std::size_t k = 0; k < kDimension; ++k) rows.vectors.push_back(normal(random_));
            rows.versions.push_back(version);
            std::get<std::vector<std::string>>(title.values).push_back("title " + std::to_string(i));
            std::get<std::vector<std::int64_t>>(year.values)
                .push_back(1900 + static_cast<std::int64_t>(i % 100));
            std::get<std::vector<double>>(rating.values).push_back(static_cast<double>(i) / 8);
            std::get<std::vector<std::uint8_t>>(seen.values).push_back(i % 2);
        }
        rows.ids = std::move(ids);
        rows.properties = {title, year, rating, seen};
        return rows;
    }

    static std::string numbered(std::size_t i) {
        char text[32];
        std::snprintf(text, sizeof text, "item-%06zu", i);
        return text;
    }
    static std::vector<ItemId> numbered_ids(std::size_t from, std::size_t to) {
        std::vector<ItemId> ids;
        for (std::size_t i = from; i < to; ++i) ids.emplace_back(numbered(i));
        return ids;
    }

    static constexpr std::size_t kDimension = 32;
    Client client;
    std::string name;

  private:
    std::mt19937 random_{20240229};
};

}  // namespace crossover::milvus::test
