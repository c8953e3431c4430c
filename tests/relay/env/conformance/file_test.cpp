// What every disk behind the doors promises, as long as nothing fails.

#include <algorithm>

#include "tests/support/worlds.hpp"

using ringlay::Buffer;
using ringlay::Bytes;
using ringlay::Errc;
using ringlay::env::Directory;
using ringlay::env::DirectoryLock;
using ringlay::env::File;
using ringlay::env::OpenMode;
using ringlay::support::TestWorld;
namespace fiber = ringlay::fiber;

namespace {

Buffer text(std::string_view from) {
    return Buffer(from.begin(), from.end());
}

std::string read(const File& file, std::uint64_t offset, std::size_t size) {
    Buffer into(size);
    into.resize(file.read_at(offset, into).value());
    return std::string(into.begin(), into.end());
}

template <class T>
Errc error_of(const ringlay::Result<T>& result) {
    REQUIRE_FALSE(result.has_value());
    return result.error().code;
}

}  // namespace

TEST_ON_BOTH_KERNELS("what is written is read back, at any offset, up to the end") {
    Directory directory = world.directory();
    File file = directory.open("a", OpenMode::create).value();
    REQUIRE(file.write_at(0, text("hello world")).has_value());
    REQUIRE(file.write_at(6, text("there")).has_value());
    REQUIRE(file.write_at(20, text("far")).has_value());
    REQUIRE(file.sync().has_value());
    CHECK(file.size_bytes().value() == 23);
    CHECK(read(file, 0, 11) == "hello there");
    CHECK(read(file, 11, 9) == std::string(9, '\0'));
    CHECK(read(file, 20, 100) == "far");
    CHECK(read(file, 23, 10).empty());
    CHECK(read(file, 1000, 10).empty());
    CHECK(read(file, 0, 0).empty());
}

TEST_ON_BOTH_KERNELS("any number of parts are written one behind the other, empty ones too") {
    Directory directory = world.directory();
    File file = directory.open("a", OpenMode::create).value();
    Buffer all;
    std::vector<Bytes> parts;
    for (std::size_t i = 0; i < 1000; ++i) all.push_back(static_cast<std::uint8_t>(i % 251));
    std::size_t at = 0;
    for (std::size_t i = 0; at < all.size(); ++i) {
        std::size_t size = std::min(i % 14, all.size() - at);
        parts.push_back(Bytes(all).subspan(at, size));
        at += size;
    }
    parts.push_back(Bytes());
    REQUIRE(parts.size() > 100);
    REQUIRE(file.write_at(5, parts).has_value());
    CHECK(file.size_bytes().value() == 1005);
    Buffer back(1000);
    CHECK(file.read_at(5, back).value() == 1000);
    CHECK(back == all);
    CHECK(file.write_at(5, std::span<const Bytes>()).has_value());
    CHECK(file.write_at(5, Bytes()).has_value());
    CHECK(file.size_bytes().value() == 1005);
}

TEST_ON_BOTH_KERNELS("large writes and reads are whole") {
    Directory directory = world.directory();
    File file = directory.open("a", OpenMode::create).value();
    Buffer all(world.is_simulated() ? 300'000 : 20'000'000);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i * 7 >> 3);
    REQUIRE(file.write_at(0, all).has_value());
    Buffer back(all.size() + 10);
    CHECK(file.read_at(0, back).value() == all.size());
    back.resize(all.size());
    CHECK((back == all));
}

TEST_ON_BOTH_KERNELS("truncate cuts and extends; allocate reserves and shows nothing") {
    Directory directory = world.directory();
    File file = directory.open("a", OpenMode::create).value();
    REQUIRE(file.write_at(0, text("0123456789")).has_value());
    REQUIRE(file.truncate(4).has_value());
    CHECK(file.size_bytes().value() == 4);
    REQUIRE(file.truncate(6).has_value());
    CHECK(read(file, 0, 10) == std::string("0123\0\0", 6));
    REQUIRE(file.allocate(100'000).has_value());
    CHECK(file.size_bytes().value() == 6);
    CHECK(read(file, 0, 10) == std::string("0123\0\0", 6));
}

TEST_ON_BOTH_KERNELS("each way to open a file wants it there, or not there, or either") {
    Directory directory = world.directory();
    CHECK(error_of(directory.open("a", OpenMode::read)) == Errc::not_found);
    CHECK(error_of(directory.open("a", OpenMode::write)) == Errc::not_found);
    REQUIRE(directory.open("a", OpenMode::write_or_create).has_value());
    CHECK(error_of(directory.open("a", OpenMode::create)) == Errc::exists);
    {
        File file = directory.open("a", OpenMode::write).value();
        REQUIRE(file.write_at(0, text("kept")).has_value());
    }
    File again = directory.open("a", OpenMode::write_or_create).value();
    CHECK(read(again, 0, 10) == "kept");
    CHECK(read(directory.open("a", OpenMode::read).value(), 0, 10) == "kept");
}

TEST_ON_BOTH_KERNELS("a file that is open for reading takes no writes") {
    Directory directory = world.directory();
    REQUIRE(directory.open("a", OpenMode::create).has_value());
    File file = directory.open("a", OpenMode::read).value();
    CHECK_FALSE(file.write_at(0, text("x")).has_value());
    CHECK(file.size_bytes().value() == 0);
}

TEST_ON_BOTH_KERNELS("a list is sorted bytewise and has directories in it, but no dots") {
    Directory directory = world.directory();
    CHECK(directory.list().value().empty());
    for (std::string_view name : {"b", "a", "B", "10", "9", "aa"}) {
        REQUIRE(directory.open(name, OpenMode::create).has_value());
    }
    REQUIRE(directory.make_directory("c").has_value());
    CHECK(directory.list().value() ==
          std::vector<std::string>{"10", "9", "B", "a", "aa", "b", "c"});
}

TEST_ON_BOTH_KERNELS("rename replaces, and an open file keeps its bytes") {
    Directory directory = world.directory();
    File file = directory.open("new", OpenMode::create).value();
    REQUIRE(file.write_at(0, text("new")).has_value());
    File old = directory.open("name", OpenMode::create).value();
    REQUIRE(old.write_at(0, text("old")).has_value());
    REQUIRE(directory.rename("new", "name").has_value());
    REQUIRE(directory.sync().has_value());
    CHECK(directory.list().value() == std::vector<std::string>{"name"});
    CHECK(read(directory.open("name", OpenMode::read).value(), 0, 9) == "new");
    CHECK(read(old, 0, 9) == "old");
    CHECK(error_of(directory.rename("none", "name")) == Errc::not_found);
}

TEST_ON_BOTH_KERNELS("a removed file is gone by name, and readable for those who have it open") {
    Directory directory = world.directory();
    File file = directory.open("a", OpenMode::create).value();
    REQUIRE(file.write_at(0, text("still")).has_value());
    REQUIRE(directory.remove("a").has_value());
    CHECK(error_of(directory.remove("a")) == Errc::not_found);
    CHECK(error_of(directory.open("a", OpenMode::read)) == Errc::not_found);
    CHECK(read(file, 0, 9) == "still");
}

TEST_ON_BOTH_KERNELS("directories are made with their parents, and once more does no harm") {
    Directory directory = world.directory();
    Directory inner = directory.make_directory("inner").value();
    REQUIRE(directory.make_directory("inner").has_value());
    auto deep = world.env().disk.open_directory(inner.path() + "/x/y/z");
    REQUIRE(deep.has_value());
    REQUIRE(deep->open("file", OpenMode::create).has_value());
    CHECK(inner.list().value() == std::vector<std::string>{"x"});
}

TEST_ON_BOTH_KERNELS("a lock is held once, and free again when its holder goes") {
    Directory directory = world.directory();
    {
        DirectoryLock lock = directory.lock("LOCK").value();
        DirectoryLock moved = std::move(lock);
        CHECK(error_of(directory.lock("LOCK")) == Errc::busy);
        CHECK(directory.lock("OTHER").has_value());
    }
    CHECK(directory.lock("LOCK").has_value());
}

TEST_ON_BOTH_KERNELS("a volume says how much of it is free") {
    std::uint64_t bytes = world.directory().free_bytes().value();
    CHECK(bytes > 0);
    CHECK(bytes < std::uint64_t{1} << 60);
}

TEST_ON_BOTH_KERNELS("a cancelled fiber still writes, syncs and closes what it has begun") {
    Directory directory = world.directory();
    std::size_t wrong = 0;
    fiber::Task writing = fiber::spawn("write", [&] {
        auto file = directory.open("a", OpenMode::create);
        wrong += !file;
        if (!file) return;
        for (std::uint64_t i = 0; i < 50; ++i) wrong += !file->write_at(i, text("z"));
        wrong += !file->sync();
    });
    fiber::yield();
    writing.cancel_and_join();
    CHECK(wrong == 0);
    CHECK(directory.open("a", OpenMode::read).value().size_bytes().value() == 50);
}

TEST_WITH_WORKERS("several workers read one file at once") {
    Directory directory = world.directory();
    File file = directory.open("a", OpenMode::create).value();
    Buffer all(100'000);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i / 100);
    REQUIRE(file.write_at(0, all).has_value());
    std::vector<std::size_t> right(5);
    fiber::TaskGroup readers;
    for (std::size_t r = 0; r < right.size(); ++r) {
        readers.spawn("read", [&, r] {
            world.on(r, [&, r] {
                for (std::size_t i = 0; i < 50; ++i) {
                    Buffer part(1000);
                    auto size = file.read_at(i * 1000 + r, part);
                    Bytes wanted = Bytes(all).subspan(i * 1000 + r, 1000);
                    right[r] += size == 1000u && std::ranges::equal(part, wanted);
                }
            });
        });
    }
    while (readers.size() > 0)
        REQUIRE(fiber::sleep_for(std::chrono::microseconds(100)).has_value());
    CHECK(right == std::vector<std::size_t>(5, 50));
}
