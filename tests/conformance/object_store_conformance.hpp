// What every ObjectStore promises. Called from a TEST_CASE with a fresh, empty store; each section
// is one promise.
#pragma once

#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/object_store.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

inline std::string names_of(const ObjectSet& set) {
    std::string names;
    for (const auto& object : set.objects) {
        names += object.type + "/" + object.name + "=" + object.document + " ";
    }
    return names;
}

inline void check_object_store(TestLane& test, ObjectStore& store) {
    const ChangeAuthor author{"uid=0(root)", "test"};
    const auto change = [&](std::uint64_t expected, std::vector<ObjectChange> changes) {
        return test.run(store.change(expected, std::move(changes), author));
    };
    const auto read = [&] {
        return test.run(store.read_all()).value();
    };

    SECTION("a new store is empty, at version 0") {
        const auto set = read();

        CHECK(set.version == 0);
        CHECK(set.objects.empty());
        CHECK(test.run(store.history(10)).value().empty());
    }
    SECTION("objects come back by type, then by name without case") {
        const auto version = change(
            0,
            {{"send-connector", "beta", "{\"b\":1}", {}},
             {"send-connector", "Alpha", "{\"a\":1}", {}},
             {"accepted-domain", "zeta", "{}", {}}});

        REQUIRE(version);
        CHECK(read().version == *version);
        CHECK(
            names_of(read()) ==
            "accepted-domain/zeta={} send-connector/Alpha={\"a\":1} "
            "send-connector/beta={\"b\":1} ");
    }
    SECTION("writing again replaces, in any case of the name, and keeps the name") {
        const auto first = change(0, {{"send-connector", "Internet", "{\"a\":1}", {}}});
        const auto second = change(*first, {{"send-connector", "INTERNET", "{\"a\":2}", {}}});

        REQUIRE(second);
        CHECK(*second > *first);
        CHECK(names_of(read()) == "send-connector/Internet={\"a\":2} ");
    }
    SECTION("a removed object is gone") {
        const auto first = change(0, {{"t", "a", "{}", {}}, {"t", "b", "{}", {}}});

        REQUIRE(change(*first, {{"t", "A", {}, {}}}));

        CHECK(names_of(read()) == "t/b={} ");
    }
    SECTION("a rename keeps the document or brings a new one") {
        const auto first = change(0, {{"t", "a", "{\"x\":1}", {}}, {"t", "b", "{}", {}}});

        const auto second = change(*first, {{"t", "a", {}, "c"}});
        CHECK(names_of(read()) == "t/b={} t/c={\"x\":1} ");
        const auto third = change(*second, {{"t", "c", "{\"x\":2}", "d"}});
        REQUIRE(third);
        CHECK(names_of(read()) == "t/b={} t/d={\"x\":2} ");
        REQUIRE(change(*third, {{"t", "d", {}, "D"}}));
        CHECK(names_of(read()) == "t/b={} t/D={\"x\":2} ");
    }
    SECTION("a change of another version than the stored one is a conflict and changes nothing") {
        const auto first = change(0, {{"t", "a", "{}", {}}});

        const auto late = change(0, {{"t", "b", "{}", {}}});

        CHECK(late.error() == Error::conflict);
        CHECK(read().version == *first);
        CHECK(names_of(read()) == "t/a={} ");
    }
    SECTION("one impossible change undoes the whole set") {
        const auto first = change(0, {{"t", "a", "{}", {}}, {"t", "b", "{}", {}}});

        const auto removed = change(*first, {{"t", "c", "{}", {}}, {"t", "nobody", {}, {}}});
        const auto renamed = change(*first, {{"t", "c", "{}", {}}, {"t", "nobody", {}, "x"}});
        const auto taken = change(*first, {{"t", "c", "{}", {}}, {"t", "a", {}, "B"}});

        CHECK(removed.error() == Error::not_found);
        CHECK(renamed.error() == Error::not_found);
        CHECK(taken.error() == Error::already_exists);
        CHECK(read().version == *first);
        CHECK(names_of(read()) == "t/a={} t/b={} ");
    }
    SECTION("history has who and what of the newest changes first, up to the limit") {
        auto version = change(0, {{"t", "a", "{}", {}}});
        version = test.run(
            store.change(*version, {{"t", "b", "{}", {}}}, {"uid=1000(alice)", "t create b"}));
        REQUIRE(version);

        const auto all = test.run(store.history(10)).value();
        const auto newest = test.run(store.history(1)).value();

        REQUIRE(all.size() == 2);
        CHECK(all[0].version == *version);
        CHECK(all[0].author.who == "uid=1000(alice)");
        CHECK(all[0].author.what == "t create b");
        CHECK(all[1].author.who == "uid=0(root)");
        REQUIRE(newest.size() == 1);
        CHECK(newest[0].version == *version);
    }
}

}  // namespace mailflow
