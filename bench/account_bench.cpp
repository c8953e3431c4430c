// What an account in memory costs: bytes, and time to make, find, change and push out one, with a
// million of them. Times include making the name; the worst of each is shown, too, though on a
// shared machine it is mostly others' doing.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>

#include "crypto/signing_key.hpp"
#include "relay/accounts/account_table.hpp"

namespace {

using namespace ringlay;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t accounts_count = 1'000'000;

std::string did_of(std::uint64_t number) {
    std::string did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    number *= 0x9e3779b97f4a7c15;
    for (std::size_t i = 0; i < 12; ++i) {
        did[8 + i] = "abcdefghijklmnopqrstuvwxyz234567"[number >> 5 * i & 31];
    }
    return did;
}

template <class Work>
void measure(const char* name, std::uint64_t rounds, Work&& work) {
    SteadyClock::duration worst{};
    std::uint64_t slow = 0;
    auto begin = SteadyClock::now();
    for (std::uint64_t i = 0; i < rounds; ++i) {
        auto before = SteadyClock::now();
        work(i);
        auto took = SteadyClock::now() - before;
        worst = std::max(worst, took);
        if (took > std::chrono::microseconds(100)) ++slow;
    }
    double ns = std::chrono::duration<double, std::nano>(SteadyClock::now() - begin).count();
    std::printf("%-28s %7.0f ns each, worst %5.0f us, %llu above 100 us\n", name,
                ns / static_cast<double>(rounds),
                std::chrono::duration<double, std::micro>(worst).count(),
                static_cast<unsigned long long>(slow));
}

}  // namespace

int main() {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = 1;
    accounts::Account account;
    account.key = crypto::SigningKey::from_secret(crypto::Curve::k256, secret).value().public_key();
    accounts::AccountTable table(accounts_count, 0x0123456789abcdef);
    std::mt19937_64 random(1);
    std::uint64_t sum = 0;

    measure("the clock and the name alone", accounts_count,
            [&](std::uint64_t) { sum += did_of(random() % accounts_count).size(); });
    measure("store, new", accounts_count, [&](std::uint64_t i) {
        account.rev = i;
        table.store(did_of(i), account);
    });
    std::printf("%.1f bytes an account\n",
                static_cast<double>(table.memory_bytes()) / static_cast<double>(table.size()));
    measure("find, there", accounts_count,
            [&](std::uint64_t) { sum += table.find(did_of(random() % accounts_count))->rev; });
    measure("find, not there", accounts_count, [&](std::uint64_t) {
        sum += table.find(did_of(accounts_count + random() % accounts_count)).has_value();
    });
    measure("store, there", accounts_count,
            [&](std::uint64_t) { table.store(did_of(random() % accounts_count), account); });
    measure("changed and folded", accounts_count, [&](std::uint64_t i) {
        table.changed_by(did_of(random() % accounts_count), i + 1);
        table.folded(i > 1000 ? i - 1000 : 0);
    });
    table.folded(accounts_count);
    measure("store, pushes one out", accounts_count,
            [&](std::uint64_t i) { table.store(did_of(accounts_count + i), account); });
    std::printf("%.1f bytes an account; %zu accounts, %llu were pushed out (%llu)\n",
                static_cast<double>(table.memory_bytes()) / static_cast<double>(table.size()),
                table.size(), static_cast<unsigned long long>(table.evicted()),
                static_cast<unsigned long long>(sum % 10));
}
