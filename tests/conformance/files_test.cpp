// What every implementation of Files promises.
#include "storage/posix_files.hpp"
#include "tests/support/memory_files.hpp"
#include "tests/support/temp_directory.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

struct PosixImplementation {
    TempDirectory directory;
    PosixFiles files;

    [[nodiscard]] std::string root() const { return directory.path(); }
};

struct MemoryImplementation {
    MemoryFiles files;

    MemoryImplementation() { files.make_directory(root()).value(); }

    [[nodiscard]] static std::string root() { return "/disk"; }
};

template <class Files>
void put(Files& files, const std::string& path, std::string_view bytes) {
    const auto file = files.create(path).value();
    file->append(bytes).value();
    file->sync().value();
}

template <class Files>
std::string get(Files& files, const std::string& path) {
    return files.open(path).value()->read(0, 1'000'000).value();
}

}  // namespace

#define FILES_TEST(name) \
    TEMPLATE_TEST_CASE(  \
        "Files: " name, "[conformance][files]", PosixImplementation, MemoryImplementation)

FILES_TEST("what is appended is read back, from any offset") {
    TestType disk;
    const auto path = disk.root() + "/a";
    const auto file = disk.files.create(path).value();

    CHECK(file->append("hello "));
    CHECK(file->append(std::string_view("w\0rld", 5)));

    CHECK(file->size().value() == 11);
    CHECK(file->read(0, 5).value() == "hello");
    CHECK(file->read(6, 100).value() == std::string("w\0rld", 5));
    CHECK(file->read(11, 10).value().empty());
    CHECK(file->sync());
    CHECK(get(disk.files, path).size() == 11);
}

FILES_TEST("a name is created once") {
    TestType disk;
    put(disk.files, disk.root() + "/a", "x");

    const auto again = disk.files.create(disk.root() + "/a");

    REQUIRE(again.has_error());
    CHECK(again.error() == Error::already_exists);
}

FILES_TEST("what is not there is not found") {
    TestType disk;

    CHECK(disk.files.open(disk.root() + "/none").error() == Error::not_found);
    CHECK(disk.files.remove(disk.root() + "/none").error() == Error::not_found);
    CHECK(disk.files.list(disk.root() + "/none").error() == Error::not_found);
    CHECK(disk.files.create(disk.root() + "/none/a").error() == Error::not_found);
    CHECK(disk.files.rename(disk.root() + "/none", disk.root() + "/b").error() == Error::not_found);
    CHECK(!disk.files.exists(disk.root() + "/none"));
}

FILES_TEST("rename replaces, link does not") {
    TestType disk;
    put(disk.files, disk.root() + "/a", "a");
    put(disk.files, disk.root() + "/b", "b");

    CHECK(disk.files.link(disk.root() + "/a", disk.root() + "/b").error() == Error::already_exists);
    CHECK(disk.files.rename(disk.root() + "/a", disk.root() + "/b"));
    CHECK(disk.files.link(disk.root() + "/b", disk.root() + "/c"));

    CHECK(get(disk.files, disk.root() + "/b") == "a");
    CHECK(get(disk.files, disk.root() + "/c") == "a");
    CHECK(!disk.files.exists(disk.root() + "/a"));
}

FILES_TEST("folders are made with their parents and listed") {
    TestType disk;

    CHECK(disk.files.make_directory(disk.root() + "/x/y/z"));
    CHECK(disk.files.make_directory(disk.root() + "/x/y/z"));
    put(disk.files, disk.root() + "/x/y/one", "1");
    CHECK(disk.files.sync_directory(disk.root() + "/x/y"));

    auto names = disk.files.list(disk.root() + "/x/y").value();
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"one", "z"});
}

FILES_TEST("a removed file is gone and its open reader goes on") {
    TestType disk;
    put(disk.files, disk.root() + "/a", "octets");
    const auto reader = disk.files.open(disk.root() + "/a").value();

    CHECK(disk.files.remove(disk.root() + "/a"));

    CHECK(!disk.files.exists(disk.root() + "/a"));
    CHECK(reader->read(0, 6).value() == "octets");
}

FILES_TEST("free space is told") {
    TestType disk;

    CHECK(disk.files.free_space(disk.root()).value() > 0);
}

}  // namespace mailflow
