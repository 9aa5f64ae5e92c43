#include "learning/store/copy_encoding.h"

#include <gtest/gtest.h>

namespace crossover::learning {
namespace {

std::string bytes(std::initializer_list<int> all) {
    std::string out;
    for (const int one : all) out += static_cast<char>(one);
    return out;
}

TEST(CopyEncoding, FramesAsPostgresDoes) {
    EXPECT_EQ(copy_header(),
              bytes({'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xFF, '\r', '\n', 0, 0, 0, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(copy_trailer(), bytes({0xFF, 0xFF}));
}

TEST(CopyEncoding, WritesAnExperienceByteForByte) {
    Row row;
    row.clear(Kind::experience);
    row.key = "k";
    row.agent_id = "a";
    row.state = "[]";
    row.action = "1";
    row.number = 1;
    row.done = true;
    row.occurred_at_us = 946'684'800'000'001;
    row.version = 258;
    std::string out;
    encode_row(row, out);
    EXPECT_EQ(out, bytes({0,    12,                                                //
                          0,    0,    0,    1,    'k',                             //
                          0,    0,    0,    1,    'a',                             //
                          0,    0,    0,    3,    1,    '[',  ']',                 //
                          0,    0,    0,    2,    1,    '1',                       //
                          0,    0,    0,    8,    0x3F, 0xF0, 0,   0, 0, 0, 0, 0,  //
                          0xFF, 0xFF, 0xFF, 0xFF,                                  //
                          0,    0,    0,    1,    1,                               //
                          0,    0,    0,    8,    0,    0,    0,   0, 0, 0, 0, 1,  //
                          0xFF, 0xFF, 0xFF, 0xFF,                                  //
                          0,    0,    0,    8,    0,    0,    0,   0, 0, 0, 1, 2,  //
                          0xFF, 0xFF, 0xFF, 0xFF,                                  //
                          0xFF, 0xFF, 0xFF, 0xFF}));
}

TEST(CopyEncoding, WritesAPolicyWithHashAndExpiry) {
    Row row;
    row.clear(Kind::policy);
    row.key = std::string("\0", 1);
    row.body = std::string("\xFF\0", 2);
    row.content_hash = -1;
    row.expires_at_us = 946'684'799'999'999;
    std::string out;
    encode_row(row, out);
    EXPECT_EQ(out, bytes({0, 6,    0, 0,    0,    1,    0,    0,    0,    0,    0,    0,    0,    0,
                          2, 0xFF, 0, 0,    0,    0,    8,    0,    0,    0,    0,    0,    0,    0,
                          0, 0,    0, 0,    8,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,
                          0, 0,    8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));
}

}  // namespace
}  // namespace crossover::learning
