#include "migration/job/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/durable_file.h"
#include "base/error.h"
#include "migration/job/quarantine_claim.h"
#include "unit/migration/scratch_folder.h"

namespace crossover::migration {
namespace {

Checkpoint example() {
    Checkpoint checkpoint;
    checkpoint.job = "abc";
    checkpoint.description = "MediaContent in bolt://a → media_embeddings in http://b";
    checkpoint.epoch = 3;
    checkpoint.collection_id = 447;
    checkpoint.collection = "media_embeddings_v1";
    checkpoint.phase = Phase::sweep;
    checkpoint.expected = 10;
    checkpoint.counts = {10, 7, 2, 1};
    checkpoint.open_ranges = {{{std::nullopt, ItemId("a\"\\\n\xF0\x9F\x8E\xAC")}, ItemId("a")},
                              {{ItemId(std::int64_t{-5}), std::nullopt}, std::nullopt}};
    checkpoint.quarantine_bytes = 99;
    checkpoint.copy_seconds = 1.5;
    checkpoint.live.state = "copying";
    return checkpoint;
}

ErrorKind kind_of_reading(const std::string& path) {
    try {
        read_checkpoint(path);
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
        return error.kind();
    }
    return ErrorKind::internal;
}

TEST(Checkpoint, ComesBackAsItWas) {
    const ScratchFolder folder;
    const auto path = folder.file("checkpoint.json");
    EXPECT_FALSE(read_checkpoint(path));
    write_checkpoint(path, example());
    const auto read = read_checkpoint(path);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->job, "abc");
    EXPECT_EQ(read->phase, Phase::sweep);
    EXPECT_EQ(read->counts, (Counts{10, 7, 2, 1}));
    EXPECT_EQ(read->open_ranges, example().open_ranges);
    EXPECT_EQ(read->quarantine_bytes, 99);
    EXPECT_EQ(read->live.state, "copying");
}

TEST(Checkpoint, IsForItsOwnerOnly) {
    const ScratchFolder folder;
    const auto path = folder.file("checkpoint.json");
    write_checkpoint(path, example());
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(Checkpoint, RefusesLinksBothWays) {
    const ScratchFolder folder;
    const auto target = folder.file("precious");
    const auto link = folder.file("checkpoint.json");
    std::ofstream(target) << "keep me";
    std::filesystem::create_symlink(target, link);
    EXPECT_EQ(kind_of_reading(link), ErrorKind::conflict);
    EXPECT_THROW(write_checkpoint(link, example()), Error);
    std::string content;
    std::getline(std::ifstream(target) >> std::ws, content);
    EXPECT_EQ(content, "keep me");
}

TEST(Checkpoint, SaysThatACorruptFileIsNone) {
    const ScratchFolder folder;
    const auto path = folder.file("checkpoint.json");
    for (const char* content : {"", "{", "[]", "{\"format\": 1}", "{\"format\": 99}", "\x01\x02\x03"}) {
        std::ofstream(path, std::ios::trunc) << content;
        EXPECT_EQ(kind_of_reading(path), ErrorKind::conflict) << content;
    }
}

TEST(Checkpoint, SurvivesAFolderThatIsGone) {
    const ScratchFolder folder;
    try {
        write_checkpoint(folder.file("missing/checkpoint.json"), example());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io);
    }
}

TEST(AppendFile, CutsWhatWasNotCounted) {
    const ScratchFolder folder;
    const auto path = folder.file("quarantine.ndjson");
    std::ofstream(path) << "counted\nnot counted\n";
    AppendFile file(path, 8);
    file.append("new\n");
    EXPECT_EQ(file.length(), 12);
    EXPECT_EQ(read_private_file(path, 100), "counted\nnew\n");
}

TEST(AppendFile, GoesOnWhereNothingIsKnown) {
    const ScratchFolder folder;
    const auto path = folder.file("quarantine.ndjson");
    std::ofstream(path) << "of another job\n";
    AppendFile file(path, std::nullopt);
    file.append("new\n");
    EXPECT_EQ(read_private_file(path, 100), "of another job\nnew\n");
}

TEST(AppendFile, RefusesAFileShorterThanCounted) {
    const ScratchFolder folder;
    const auto path = folder.file("quarantine.ndjson");
    std::ofstream(path) << "short";
    EXPECT_THROW(AppendFile(path, 8), Error);
}

TEST(AppendFile, IsOfOneAtATime) {
    const ScratchFolder folder;
    const auto path = folder.file("quarantine.ndjson");
    {
        AppendFile file(path, std::nullopt);
        file.append("counted\n");
        try {
            AppendFile(path, 0);
            FAIL();
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::conflict);
            EXPECT_EQ(error.what(),
                      path +
                          " is being written by another run. Name another file for this one, or "
                          "wait until that one has ended.");
        }
    }
    EXPECT_EQ(AppendFile(path, std::nullopt).length(), 8);
}

class QuarantineClaim : public testing::Test {
  protected:
    void count(const std::string& checkpoint_file, std::int64_t begin, std::int64_t bytes) const {
        auto checkpoint = example();
        checkpoint.quarantine_file = file;
        checkpoint.quarantine_begin = begin;
        checkpoint.quarantine_bytes = bytes;
        write_checkpoint(checkpoint_file, checkpoint);
    }
    const ScratchFolder folder;
    const std::string file = folder.file("quarantine.ndjson");
    const std::string one = folder.file("one.json");
    const std::string other = folder.file("other.json");
};

TEST_F(QuarantineClaim, LinesThatAnotherCheckpointHasCountedAreKept) {
    claim_quarantine(file, one);
    count(one, 10, 20);
    claim_quarantine(file, one);
    try {
        claim_quarantine(file, other);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::conflict);
        EXPECT_EQ(error.what(), file + " holds the quarantined items of another job, whose checkpoint " +
                                    one +
                                    " has counted them. Name another file with --quarantine-file, or remove "
                                    "that checkpoint if its job is not to be resumed.");
    }
    claim_quarantine(file, one);
}

TEST_F(QuarantineClaim, AFileWithNobodysLinesCanBeTaken) {
    claim_quarantine(file, one);
    claim_quarantine(file, other);  // there is no such checkpoint
    count(other, 20, 20);
    claim_quarantine(file, one);  // it has counted none
    count(one, 0, 5);
    std::filesystem::remove(one);
    claim_quarantine(file, other);
    std::ofstream(other) << "no checkpoint";
    claim_quarantine(file, one);
    EXPECT_THROW((count(one, 0, 5), claim_quarantine(file, other)), Error);
}

}  // namespace
}  // namespace crossover::migration
