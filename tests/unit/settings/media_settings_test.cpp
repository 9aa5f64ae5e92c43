#include "settings/media_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "settings/settings.h"

namespace crossover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_EQ(error.system(), System::config);
        return error.what();
    }
    return "was accepted";
}

std::string refusal(const std::string& properties, const std::function<void(Settings&)>& change = {}) {
    Settings settings;
    settings.properties = split_properties(properties);
    if (change) change(settings);
    return refusal([&] { require_sound_media(settings); });
}

TEST(Properties, AreSplitAtCommas) {
    EXPECT_THAT(split_properties(" title , release date=r:text,,x"),
                ElementsAre("title", "release date=r:text", "x"));
    EXPECT_THAT(split_properties(R"(a\,b,c\\,d)"), ElementsAre(R"(a\,b)", R"(c\\)", "d"));
    EXPECT_THAT(split_properties(""), ElementsAre());
}

void expect_parsed(const char* text, const char* name, const char* field, const char* type) {
    const auto property = parse_property(text);
    EXPECT_EQ(property.name, name) << text;
    EXPECT_EQ(property.field, field) << text;
    EXPECT_EQ(property.type, type) << text;
}

TEST(Properties, HaveAFieldAndAType) {
    expect_parsed("title", "title", "title", "");
    expect_parsed("release date=release_date", "release date", "release_date", "");
    expect_parsed("year:int64", "year", "year", "int64");
    expect_parsed("release date=r:text", "release date", "r", "text");
    expect_parsed(R"(a\,b\=c\:d\\e=f:boolean)", R"(a,b=c:d\e)", "f", "boolean");
}

TEST(Properties, OfAnotherFormAreRefused) {
    for (const char* text : {"=x", "x=", ":text", "a=b=c", "a:text:text", "a:text=b"}) {
        EXPECT_THAT(refusal([&] { parse_property(text); }), HasSubstr("PROPERTY[=FIELD][:TYPE]")) << text;
    }
    EXPECT_THAT(refusal([] { parse_property("year:int46"); }),
                HasSubstr("there is no type 'int46'; is int64 meant?"));
    EXPECT_THAT(refusal([] { parse_property("x:"); }),
                HasSubstr("The types are boolean, int64, float64 and text."));
    EXPECT_THAT(refusal([] { parse_property(R"(a\b)"); }), HasSubstr("a backslash stands before"));
    EXPECT_THAT(refusal([] { parse_property("a\\"); }), HasSubstr("a backslash stands before"));
}

TEST(SoundMedia, TakesWhatMilvusTakes) {
    EXPECT_EQ(refusal("_x,Year2,rowid,release date=release_date," + std::string(255, 'a')), "was accepted");
    EXPECT_EQ(refusal("", [](Settings& settings) { settings.collection = std::string(250, 'a'); }),
              "was accepted");
}

TEST(SoundMedia, NamesThatMilvusRefuses) {
    for (const auto& [name, example] :
         std::vector<std::pair<const char*, const char*>>{{"release date", "release date=release_date"},
                                                          {"box-office", "box-office=box_office"},
                                                          {"größe", "größe=gr_e"},
                                                          {"3d", "3d=my_3d"},
                                                          {"$meta", "$meta=meta"}}) {
        EXPECT_THAT(refusal(name), testing::AllOf(HasSubstr("can't be a field of Milvus: a name there is of"),
                                                  testing::EndsWith(example)))
            << name;
    }
    EXPECT_THAT(refusal(std::string(256, 'a')), HasSubstr("it has 256 bytes, at most 255"));
    EXPECT_THAT(refusal("x=release date"), HasSubstr("'release date' can't be a field"));
}

TEST(SoundMedia, NamesThatMilvusReserves) {
    for (const char* name : {"RowID", "Timestamp", "in", "like", "NULL", "True", "json_contains"}) {
        EXPECT_THAT(refusal(name), HasSubstr("keeps this word for itself")) << name;
    }
}

TEST(SoundMedia, WhatIsThereAlready) {
    const auto uuid = [](Settings& settings) { settings.id_property = "uuid"; };
    const auto vector = [](Settings& settings) { settings.embedding_property = "vector"; };
    EXPECT_EQ(refusal("id"), "--properties: 'id' is the id of each item already: leave it out.");
    EXPECT_EQ(refusal("embedding"),
              "--properties: 'embedding' is the embedding of each item already: leave it out.");
    EXPECT_EQ(refusal("uuid", uuid), "--properties: 'uuid' is the id of each item already: leave it out.");
    EXPECT_THAT(refusal("legacy_id=id", uuid),
                HasSubstr("the field id of the collection is the key itself."));
    EXPECT_THAT(refusal("x=embedding", vector),
                HasSubstr("the field embedding of the collection is the vector itself."));
    EXPECT_THAT(refusal("embedding_version"), HasSubstr("kept on each node by Crossover itself"));
    EXPECT_THAT(refusal("crossover_touched"), HasSubstr("kept on each node by Crossover itself"));
    EXPECT_THAT(refusal("x=embedding_version"), HasSubstr("is the version itself"));
    EXPECT_THAT(refusal("a=x,b=x"), HasSubstr("'a' and 'b' would both be the field x."));
    EXPECT_THAT(refusal("a,b,a=c"), HasSubstr("names 'a' twice"));
}

TEST(SoundMedia, NamesThatTheApiKeepsForItself) {
    const auto others = [](Settings& settings) {
        settings.id_property = "uuid";
        settings.embedding_property = "vector";
    };
    for (const char* name : {"id", "embedding", "score", "reason"}) {
        for (const std::string& text : {std::string(name), std::string(name) + "=field"}) {
            EXPECT_THAT(refusal(text, others),
                        testing::StartsWith("--properties: '" + std::string(name) +
                                            "' is a name that the HTTP API of recommendation-engine keeps"))
                << text;
        }
    }
    EXPECT_EQ(refusal("Score,reasons,rating=score"), "was accepted");
}

TEST(SoundMedia, TooManyProperties) {
    std::string properties;
    for (int i = 0; i < 61; ++i) properties += "p" + std::to_string(i) + ",";
    EXPECT_EQ(refusal(properties), "was accepted");
    EXPECT_THAT(refusal(properties + "one_more"),
                HasSubstr("names 62 properties; a collection has room for 61"));
}

TEST(SoundMedia, Collections) {
    for (const char* name : {"", "my-movies", "1st", "a b", "ü"}) {
        EXPECT_THAT(refusal("", [&](Settings& settings) { settings.collection = name; }),
                    HasSubstr("--collection must be a name that Milvus takes"))
            << name;
    }
    EXPECT_THAT(refusal("", [](Settings& settings) { settings.collection = std::string(251, 'a'); }),
                HasSubstr("251 bytes, at most 250"));
}

TEST(SoundMedia, LabelIdAndEmbedding) {
    EXPECT_EQ(refusal("", [](Settings& settings) { settings.label = ""; }), "--label must not be empty.");
    EXPECT_THAT(refusal("", [](Settings& settings) { settings.id_property = "embedding"; }),
                HasSubstr("must differ"));
    EXPECT_THAT(refusal("", [](Settings& settings) { settings.id_property = "embedding_version"; }),
                HasSubstr("which Crossover keeps on each node itself"));
}

}  // namespace
}  // namespace crossover
