#include "relay/accounts/account_table.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "crypto/signing_key.hpp"

using namespace ringlay;
using namespace ringlay::accounts;

namespace {

std::string plc(std::uint64_t number) {
    std::string did = "did:plc:";
    for (int i = 0; i < 24; ++i) {
        did.push_back("abcdefghijklmnopqrstuvwxyz234567"[i < 12 ? number >> 5 * i & 31 : 3]);
    }
    return did;
}

// Of all kinds: the usual, others that look like it, long ones.
std::string any_did(std::uint64_t number) {
    switch (number % 6) {
        case 0:
            return "did:web:host" + std::to_string(number) + ".example.com";
        case 1:
            return plc(number) + "a";
        case 2:
            return "did:web:" + std::string(number % 300, 'x') + std::to_string(number);
        default:
            return plc(number);
    }
}

crypto::PublicKey key_of(crypto::Curve curve, std::uint8_t number) {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = static_cast<std::uint8_t>(number + 1);
    return crypto::SigningKey::from_secret(curve, secret).value().public_key();
}

const std::vector<crypto::PublicKey>& keys() {
    static const std::vector<crypto::PublicKey> made = [] {
        std::vector<crypto::PublicKey> all;
        for (std::uint8_t i = 0; i < 8; ++i) {
            all.push_back(key_of(i % 2 == 0 ? crypto::Curve::k256 : crypto::Curve::p256, i));
        }
        return all;
    }();
    return made;
}

Account any_account(std::mt19937_64& random) {
    Account account;
    account.rev = random();
    std::array<std::uint8_t, 32> digest{};
    for (auto& byte : digest) byte = static_cast<std::uint8_t>(random());
    account.data = proto::Cid::of_digest(digest);
    account.host_id = static_cast<std::uint32_t>(random());
    account.local = *proto::AccountStanding::from_byte(static_cast<std::uint8_t>(random() % 16));
    account.upstream = *proto::AccountStanding::from_byte(static_cast<std::uint8_t>(random() % 16));
    if (random() % 3 != 0) account.key = keys()[random() % keys().size()];
    account.pds = static_cast<std::uint32_t>(random());
    account.asked_ms = static_cast<std::int64_t>(random());
    return account;
}

Account with_rev(std::uint64_t rev) {
    Account account;
    account.rev = rev;
    return account;
}

}  // namespace

TEST_CASE("an account comes back as it was stored, whatever is in it") {
    std::mt19937_64 random(1);
    AccountTable table(1000, 1);
    for (int i = 0; i < 500; ++i) {
        Account account = any_account(random);
        table.store("did:web:a.example", account);
        CHECK(table.find("did:web:a.example") == account);
        table.store(plc(1), Account());
        CHECK(table.find(plc(1)) == Account());
        table.store(plc(1), account);
        CHECK(table.find(plc(1)) == account);
    }
    CHECK(table.size() == 2);
}

TEST_CASE("DIDs that differ in anything are different accounts") {
    AccountTable table(1000, 1);
    const std::string dids[] = {plc(1),
                                plc(2),
                                plc(1) + "a",
                                plc(1).substr(0, 31),
                                "did:PLC" + plc(1).substr(7),
                                "did:web:a.example",
                                "did:web:A.example",
                                ""};
    for (const auto& did : dids) CHECK_FALSE(table.find(did).has_value());
    std::uint64_t rev = 1;
    for (const auto& did : dids) table.store(did, with_rev(rev++));
    rev = 1;
    for (const auto& did : dids) CHECK(table.find(did)->rev == rev++);
    CHECK(table.size() == std::size(dids));
}

TEST_CASE("of a full table the ones that nobody looked at go first") {
    AccountTable table(1000, 1);
    for (std::uint64_t i = 0; i < 1000; ++i) table.store(any_did(i), with_rev(i));
    CHECK(table.evicted() == 0);
    // Everyone was looked at when it came: the hand goes once round before it takes the first.
    table.store(any_did(1000), with_rev(1000));
    CHECK(table.size() == 1000);
    CHECK(table.evicted() == 1);
    for (std::uint64_t i = 500; i < 1000; ++i) table.find(any_did(i));
    for (std::uint64_t i = 2000; i < 2400; ++i) table.store(any_did(i), with_rev(i));
    CHECK(table.size() == 1000);
    for (std::uint64_t i = 500; i < 1000; ++i) REQUIRE(table.find(any_did(i)).has_value());
    for (std::uint64_t i = 2000; i < 2400; ++i) REQUIRE(table.find(any_did(i)).has_value());
    // And what was looked at only once does go in the end.
    for (std::uint64_t i = 3000; i < 6000; ++i) table.store(any_did(i), with_rev(i));
    CHECK(table.size() == 1000);
    CHECK_FALSE(table.find(any_did(700)).has_value());
}

TEST_CASE("an account that was changed stays until the fold has its newest push") {
    AccountTable table(1, 1);
    table.store(plc(1), with_rev(1));
    table.changed_by(plc(1), 5);
    table.changed_by(plc(1), 8);
    CHECK(table.pinned() == 1);
    table.folded(7);
    CHECK(table.pinned() == 1);
    table.store(plc(2), with_rev(2));
    CHECK(table.find(plc(1))->rev == 1);  // the bound gives way
    CHECK(table.size() == 2);
    table.folded(8);
    CHECK(table.pinned() == 0);
    table.store(plc(3), with_rev(3));
    CHECK(table.size() == 1);
    CHECK(table.find(plc(3))->rev == 3);
    CHECK(table.evicted() == 2);
}

TEST_CASE("pushes are folded in their order, whoever was changed again meanwhile") {
    AccountTable table(100, 1);
    for (std::uint64_t i = 0; i < 5; ++i) table.store(plc(i), with_rev(i));
    std::uint64_t push = 0;
    for (std::uint64_t i : {0u, 1u, 2u, 3u, 4u, 0u, 3u, 2u}) table.changed_by(plc(i), ++push);
    // newest pushes: 0 at 6, 1 at 2, 2 at 8, 3 at 7, 4 at 5
    const std::size_t pinned_after[] = {5, 5, 4, 4, 4, 3, 2, 1, 0};
    for (std::uint64_t folded = 0; folded <= 8; ++folded) {
        table.folded(folded);
        CHECK(table.pinned() == pinned_after[folded]);
    }
    table.folded(3);  // never back
    table.changed_by(plc(1), 9);
    CHECK(table.pinned() == 1);
    table.folded(20);
    CHECK(table.pinned() == 0);
    table.changed_by(plc(1), 15);  // the fold has this one already
    CHECK(table.pinned() == 0);
}

TEST_CASE("pins are counted, and a change pins beside them") {
    AccountTable table(1, 1);
    table.store(plc(1), with_rev(1));
    table.pin(plc(1));
    table.pin(plc(1));
    table.changed_by(plc(1), 1);
    CHECK(table.pinned() == 1);
    table.unpin(plc(1));
    table.folded(1);
    CHECK(table.pinned() == 1);
    table.store(plc(2), with_rev(2));
    CHECK(table.find(plc(1)).has_value());
    table.unpin(plc(1));
    CHECK(table.pinned() == 0);
}

TEST_CASE("a table above its bound shrinks to it, a few accounts for each new one") {
    AccountTable table(100, 1);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        table.store(plc(i), with_rev(i));
        table.changed_by(plc(i), i + 1);
    }
    CHECK(table.size() == 1000);
    CHECK(table.evicted() == 0);
    table.folded(1000);
    std::size_t before = table.size();
    for (std::uint64_t i = 1000; i < 1100; ++i) {
        table.store(plc(i), with_rev(i));
        CHECK(table.size() + 15 >= before);
        before = table.size();
    }
    CHECK(table.size() == 100);
}

TEST_CASE("whatever is done with it, a table is a map that forgets only what may be forgotten") {
    auto seed = GENERATE(range(1u, 40u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    struct Known {
        Account account;
        std::uint64_t push = 0;
        std::uint64_t pins = 0;
    };
    std::map<std::string, Known> model;
    const std::size_t max = seed % 4 == 0 ? 100'000 : 1 + random() % 600;
    const std::uint64_t names = 10 + random() % 2000;
    AccountTable table(max, seed);
    std::uint64_t push = 0, folded = 0, made = 0;
    auto is_pinned = [&](const Known& known) { return known.pins > 0 || known.push > folded; };
    for (int step = 0; step < 4000; ++step) {
        std::string did = any_did(random() % names);
        auto found = table.find(did);
        auto known = model.find(did);
        if (found) {
            REQUIRE(known != model.end());
            REQUIRE(*found == known->second.account);
        } else if (known != model.end()) {
            REQUIRE_FALSE(is_pinned(known->second));
            model.erase(known);
        }
        bool fits = table.size() < max;
        if (!found && random() % 4 == 0) continue;
        Account account = any_account(random);
        table.store(did, account);
        if (!found) ++made;
        if (!found && fits) REQUIRE(table.size() <= max);
        Known& now = model[did];
        now.account = account;
        if (random() % 3 == 0) table.changed_by(did, now.push = ++push);
        if (random() % 8 == 0) {
            table.pin(did);
            ++now.pins;
        }
        if (now.pins > 0 && random() % 3 != 0) {
            table.unpin(did);
            --now.pins;
        }
        if (random() % 10 == 0) {
            folded = std::max(folded, push - std::min(push, random() % 50));
            table.folded(folded);
        }
        REQUIRE(table.size() + table.evicted() == made);
    }
    std::size_t here = 0, pinned = 0;
    for (const auto& [did, known] : model) {
        auto found = table.find(did);
        if (found) REQUIRE(*found == known.account);
        if (found) ++here;
        if (is_pinned(known)) ++pinned;
        if (is_pinned(known)) REQUIRE(found.has_value());
    }
    CHECK(table.size() == here);
    CHECK(table.pinned() == pinned);
}

TEST_CASE("an account costs at most 180 bytes, and a place that was left is used again") {
    AccountTable table(100'000, 1);
    for (std::uint64_t i = 0; i < 100'000; ++i) table.store(plc(i), with_rev(i));
    CHECK(table.memory_bytes() / table.size() <= 180);
    CHECK(table.memory_bytes() / table.size() >= 100);
    for (std::uint64_t i = 0; i < 300'000; ++i) table.store(plc(i + 100'000), with_rev(i));
    CHECK(table.size() == 100'000);
    CHECK(table.memory_bytes() / table.size() <= 180);
}

TEST_CASE("the text of another DID is counted, and given back") {
    AccountTable table(100, 1);
    const std::size_t empty = table.memory_bytes();
    for (std::uint64_t i = 0; i < 100; ++i) {
        table.store("did:web:" + std::string(1000, 'a') + std::to_string(i), with_rev(i));
    }
    CHECK(table.memory_bytes() > empty + 100 * 1000);
    for (std::uint64_t i = 0; i < 2000; ++i) table.store(plc(i), with_rev(i));
    CHECK(table.memory_bytes() < empty + 100 * 1000);
    for (std::uint64_t i = 0; i < 100; ++i) table.store("did:web:" + std::to_string(i), Account());
    CHECK(table.memory_bytes() < empty + 100 * 1000);
    CHECK(table.find("did:web:99").has_value());
}

TEST_CASE("a host's name has one number, and no name has none") {
    HostNames names;
    CHECK(names.number("") == 0);
    CHECK(names.name(0).empty());
    std::map<std::string, std::uint32_t> numbers;
    for (int i = 0; i < 1000; ++i) {
        std::string name = "host" + std::to_string(i) + ".example";
        numbers[name] = names.number(name);
    }
    std::map<std::uint32_t, std::string> back;
    for (const auto& [name, number] : numbers) {
        CHECK(number != 0);
        CHECK(names.number(name) == number);
        CHECK(names.name(number) == name);
        back[number] = name;
    }
    CHECK(back.size() == 1000);
}

TEST_CASE("names beyond the bound have no number; the others keep theirs") {
    HostNames names;
    for (std::uint32_t i = 0; i < HostNames::max_names; ++i) {
        REQUIRE(names.number(std::to_string(i)) != 0);
    }
    CHECK(names.number("one more") == 0);
    CHECK(names.number("one more") == 0);
    CHECK(names.name(names.number("7")) == "7");
}
