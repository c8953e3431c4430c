#include "proto/commit.hpp"

#include <catch2/catch.hpp>

#include "crypto/sha256.hpp"
#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using samples::hex;
using samples::joined;

namespace {

CommitFields sample_fields() {
    return {samples::did, samples::rev, Cid::from_text(samples::tree_cid).value(), std::nullopt};
}

Buffer unsigned_bytes(const UnsignedParts& parts) {
    return joined(Buffer{parts.head}, parts.before_sig, parts.after_sig);
}

// The entries of the sample commit, as hexadecimal digits, to be put together in other ways.
const std::string did_entry = "63646964 7820" + to_hex(samples::bytes(samples::did));
const std::string rev_entry = "63726576 6d" + to_hex(samples::bytes(samples::rev));
const std::string sig_entry = "63736967 5840" + to_hex(samples::signature());
const std::string link = "d82a582500" + to_hex(Cid::from_text(samples::tree_cid).value().bytes());
const std::string data_entry = "6464617461" + link;
const std::string prev_entry = "6470726576 f6";
const std::string version_entry = "6776657273696f6e 03";

std::string_view refusal(std::string_view digits) {
    auto commit = parse_commit_block(hex(digits));
    return commit ? "" : commit.error().what;
}

}  // namespace

TEST_CASE("the sample commit is written byte for byte, unsigned and signed") {
    CHECK(to_hex(encode_unsigned_commit(sample_fields())) == to_hex(samples::unsigned_commit()));
    Buffer signature = samples::signature();
    Buffer block = encode_signed_commit(sample_fields(), Bytes(signature).first<64>());
    CHECK(to_hex(block) == to_hex(samples::signed_commit()));
    CHECK(block.size() == 188);
}

TEST_CASE("the sample commit is read field by field, and hashes in place as when unsigned") {
    Buffer block = samples::signed_commit();
    CommitBlock commit = parse_commit_block(block).value();
    CHECK(commit.did == samples::did);
    CHECK(commit.rev == samples::rev);
    CHECK(commit.data.to_text() == samples::tree_cid);
    CHECK_FALSE(commit.prev);
    CHECK(to_hex(commit.sig) == to_hex(samples::signature()));
    CHECK_FALSE(commit.extra_keys);
    CHECK(to_hex(unsigned_bytes(commit.unsigned_parts)) == to_hex(samples::unsigned_commit()));
    CHECK(to_hex(crypto::sha256(unsigned_bytes(commit.unsigned_parts))) ==
          "af6a5ab82bde511666b8fcbdcf6abff8e54a1bfe49397f016f87baf881078f62");
    CHECK(commit.unsigned_parts.before_sig.data() == block.data() + 1);
}

TEST_CASE("a commit may link to the one before it") {
    CommitFields fields = sample_fields();
    fields.prev = empty_tree_cid;
    Buffer signature = samples::signature();
    Buffer block = encode_signed_commit(fields, Bytes(signature).first<64>());
    CommitBlock commit = parse_commit_block(block).value();
    CHECK(commit.prev == empty_tree_cid);
    CHECK(unsigned_bytes(commit.unsigned_parts) == encode_unsigned_commit(fields));
}

TEST_CASE("extra keys are told, and stay in what was signed") {
    std::string extra = "647a7a7a7a 00";
    Buffer block = hex("a7" + did_entry + rev_entry + sig_entry + data_entry + prev_entry + extra +
                       version_entry);
    CommitBlock commit = parse_commit_block(block).value();
    CHECK(commit.extra_keys);
    CHECK(unsigned_bytes(commit.unsigned_parts) ==
          hex("a6" + did_entry + rev_entry + data_entry + prev_entry + extra + version_entry));

    // One before the first entry, so that the parts begin with it.
    block =
        hex("a7"
            "616100" +
            did_entry + rev_entry + sig_entry + data_entry + prev_entry + version_entry);
    commit = parse_commit_block(block).value();
    CHECK(commit.extra_keys);
    CHECK(unsigned_bytes(commit.unsigned_parts) ==
          hex("a6"
              "616100" +
              did_entry + rev_entry + data_entry + prev_entry + version_entry));
}

TEST_CASE("a commit has at most 23 keys") {
    std::string extra;
    for (char c = 'a'; c < 'a' + 17; ++c) {
        extra += "61" + to_hex(samples::bytes(std::string_view(&c, 1))) + "00";
    }
    std::string rest = did_entry + rev_entry + sig_entry + data_entry + prev_entry + version_entry;
    Buffer block = hex("b7" + extra + rest);
    CommitBlock commit = parse_commit_block(block).value();
    CHECK(commit.unsigned_parts.head == 0xb6);
    CHECK(refusal("b818" + extra + "617a00" + rest) == "commit: too many keys");
}

TEST_CASE("a commit that is not whole, or not strict, is refused by name") {
    auto with_rev = [&](std::string rev) {
        return "a6" + did_entry + "63726576" + rev + sig_entry + data_entry + prev_entry +
               version_entry;
    };
    auto with_data = [&](std::string data) {
        return "a6" + did_entry + rev_entry + sig_entry + "6464617461" + data + prev_entry +
               version_entry;
    };
    auto with_prev = [&](std::string prev) {
        return "a6" + did_entry + rev_entry + sig_entry + data_entry + "6470726576" + prev +
               version_entry;
    };
    auto with_version = [&](std::string version) {
        return "a6" + did_entry + rev_entry + sig_entry + data_entry + prev_entry +
               "6776657273696f6e" + version;
    };
    std::string whole = with_version("03");
    std::string raw = "d82a582500 01551220" + std::string(64, '0');
    const struct {
        std::string digits, refused_as;
    } bad[] = {
        {"", "cbor: truncated"},
        {"80", "cbor: not a map"},
        {"a0", "commit: no version"},
        {"a5" + did_entry + rev_entry + sig_entry + data_entry + prev_entry, "commit: no version"},
        {"a5" + rev_entry + sig_entry + data_entry + prev_entry + version_entry, "commit: no did"},
        {"a5" + did_entry + sig_entry + data_entry + prev_entry + version_entry, "commit: no rev"},
        {"a5" + did_entry + rev_entry + data_entry + prev_entry + version_entry, "commit: no sig"},
        {"a5" + did_entry + rev_entry + sig_entry + prev_entry + version_entry, "commit: no data"},
        {"a5" + did_entry + rev_entry + sig_entry + data_entry + version_entry, "commit: no prev"},
        {with_version("02"), "commit: version"},
        {with_version("04"), "commit: version"},
        {with_version("6133"), "cbor: not an unsigned integer"},
        {with_version("1803"), "cbor: head not in its shortest form"},
        {with_rev("60"), "commit: rev syntax"},
        {with_rev("6c333333333333333333333333"), "commit: rev syntax"},
        {with_rev("f6"), "cbor: not a text"},
        {with_data("f6"), "cbor: not a link"},
        {with_data(raw), "cid: not dag-cbor with sha-256"},
        {with_prev(raw), "cid: not dag-cbor with sha-256"},
        {with_prev("00"), "cbor: not a link"},
        {"a6 63646964 6378797a" + rev_entry + sig_entry + data_entry + prev_entry + version_entry,
         "commit: did syntax"},
        {"a6" + did_entry + rev_entry + "63736967 4100" + data_entry + prev_entry + version_entry,
         "commit: length of sig"},
        {"a6" + rev_entry + did_entry + sig_entry + data_entry + prev_entry + version_entry,
         "cbor: keys out of order"},
        {"a7" + did_entry + rev_entry + sig_entry + sig_entry + data_entry + prev_entry +
             version_entry,
         "cbor: duplicate key"},
        {whole + "00", "commit: bytes after it"},
    };
    REQUIRE(refusal(whole).empty());
    for (const auto& [digits, refused_as] : bad) {
        CAPTURE(digits);
        CHECK(refusal(digits) == refused_as);
    }
    CHECK(parse_commit_block(hex(with_version("02"))).error().code == Errc::unsupported);
}

TEST_CASE("a commit with any bit changed is refused, or still hashes to what it says") {
    Buffer block = samples::signed_commit();
    for (std::size_t bit = 0; bit < block.size() * 8; ++bit) {
        Buffer changed = block;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        auto commit = parse_commit_block(changed);
        if (!commit) continue;
        CommitFields fields{commit->did, commit->rev, commit->data, commit->prev};
        REQUIRE(commit->extra_keys == false);
        REQUIRE(unsigned_bytes(commit->unsigned_parts) == encode_unsigned_commit(fields));
        REQUIRE(encode_signed_commit(fields, commit->sig.first<64>()) == changed);
    }
    for (std::size_t size = 0; size < block.size(); ++size) {
        REQUIRE_FALSE(parse_commit_block(Bytes(block).first(size)).has_value());
    }
}
