#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "bolt/chunking.h"
#include "bolt/packstream.h"
#include "bolt/record_reader.h"

/// How fast embeddings come off the wire: bytes per second are those that Neo4j sends, 9 for a float.
namespace crossover::bolt {
namespace {

constexpr std::size_t kRows = 1000;

std::vector<double> random_floats(std::size_t count) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> between(-1, 1);
    std::vector<double> values(count);
    std::generate(values.begin(), values.end(), [&] { return between(random); });
    return values;
}

/// RECORD [[id, embedding, version]], as the copy reads it.
Bytes record(std::size_t dimension) {
    Bytes message;
    Encoder encoder(message);
    encoder.write_struct_header(1, 0x71);
    encoder.write_list_header(3);
    encoder.write_string("tt0133093");
    encoder.write_float_list(random_floats(dimension));
    encoder.write_int(1717171717);
    return message;
}

bool read_record(std::span<const std::byte> message, std::size_t dimension, std::vector<float>& column) {
    Decoder decoder(message);
    StructHeader header;
    std::size_t fields = 0;
    std::string_view id;
    std::int64_t version = 0;
    return decoder.read_struct_header(header) && decoder.read_list_header(fields) &&
           decoder.read_string(id) &&
           read_float32_list(decoder, dimension, column).status == Float32ListStatus::ok &&
           decoder.read_int(version);
}

void decode_float_list(benchmark::State& state) {
    const auto dimension = static_cast<std::size_t>(state.range(0));
    Bytes field;
    Encoder(field).write_float_list(random_floats(dimension));
    std::vector<float> column;
    for (auto _ : state) {
        column.clear();
        Decoder decoder(field);
        if (read_float32_list(decoder, dimension, column).status != Float32ListStatus::ok)
            state.SkipWithError("bad");
        benchmark::DoNotOptimize(column.data());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * field.size()));
}
BENCHMARK(decode_float_list)->Arg(384)->Arg(768)->Arg(1536);

void decode_bolt6_vector(benchmark::State& state) {
    const auto dimension = static_cast<std::size_t>(state.range(0));
    const std::vector<double> values = random_floats(dimension);
    Bytes field;
    Encoder(field).write_value(Vector{std::vector<float>(values.begin(), values.end())});
    std::vector<float> column;
    for (auto _ : state) {
        column.clear();
        Decoder decoder(field);
        if (read_float32_list(decoder, dimension, column).status != Float32ListStatus::ok)
            state.SkipWithError("bad");
        benchmark::DoNotOptimize(column.data());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * field.size()));
}
BENCHMARK(decode_bolt6_vector)->Arg(768);

/// The same list through a Value for each float, for comparison.
void decode_values(benchmark::State& state) {
    Bytes field;
    Encoder(field).write_float_list(random_floats(static_cast<std::size_t>(state.range(0))));
    for (auto _ : state) {
        Decoder decoder(field);
        Value value;
        decoder.read_value(value);
        benchmark::DoNotOptimize(value);
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * field.size()));
}
BENCHMARK(decode_values)->Arg(768);

/// A stream of records through chunking and decoding into a column, memory copy from "the socket" included.
void drain_records(benchmark::State& state) {
    const auto dimension = static_cast<std::size_t>(state.range(0));
    const Bytes message = record(dimension);
    Bytes wire;
    for (std::size_t row = 0; row < kRows; ++row) append_chunked(message, wire);
    Dechunker dechunker;
    std::vector<float> column;
    for (auto _ : state) {
        column.clear();
        std::size_t rows = 0;
        for (std::span<const std::byte> rest(wire); !rest.empty();) {
            const std::span<std::byte> room = dechunker.prepare();
            const std::size_t size = std::min(rest.size(), room.size());
            std::copy_n(rest.begin(), size, room.begin());
            dechunker.commit(size);
            rest = rest.subspan(size);
            while (const auto next = dechunker.next_message()) rows += read_record(*next, dimension, column);
        }
        if (rows != kRows) state.SkipWithError("rows were lost");
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * wire.size()));
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kRows));
}
BENCHMARK(drain_records)->Arg(768);

}  // namespace
}  // namespace crossover::bolt
