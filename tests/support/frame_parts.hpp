// Event frames taken apart, to be changed and put together again: as a forger or old software
// would send them. What comes out is canonical where nothing says otherwise; what it says is the
// caller's business.
//
// Errors   none: only frames that are sound may be taken apart.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signing_key.hpp"
#include "proto/base/bytes.hpp"
#include "proto/cid.hpp"
#include "proto/frame.hpp"

namespace ringlay::support {

// A CBOR map: its values, encoded, by key.
class MapParts {
  public:
    MapParts() = default;
    explicit MapParts(Bytes map);

    Buffer encode() const;

    bool has(std::string_view key) const { return values_.contains(key); }
    Bytes encoded(std::string_view key) const;
    std::string text(std::string_view key) const;
    Buffer bytes(std::string_view key) const;

    void erase(std::string_view key);
    void set_encoded(std::string_view key, Bytes value);
    void set_text(std::string_view key, std::string_view value);
    void set_bytes(std::string_view key, Bytes value);
    void set_uint(std::string_view key, std::uint64_t value);
    void set_bool(std::string_view key, bool value);
    void set_cid(std::string_view key, const proto::Cid& value);
    void set_null(std::string_view key);

  private:
    struct KeyOrder {
        using is_transparent = void;
        bool operator()(std::string_view a, std::string_view b) const;
    };
    std::map<std::string, Buffer, KeyOrder> values_;
};

struct FrameParts {
    explicit FrameParts(Bytes frame);

    Buffer frame() const;

    proto::FrameKind kind;
    MapParts payload;
    // "repo" or "did": whichever this kind has.
    std::string_view did_key() const;
};

struct ArchiveParts {
    struct Block {
        Buffer cid;
        Buffer data;
    };

    ArchiveParts() = default;
    explicit ArchiveParts(Bytes archive);

    Buffer archive() const;

    std::vector<proto::Cid> roots;
    std::vector<Block> blocks;
};

// A #commit or #sync with its archive and its commit block.
struct CommitParts {
    explicit CommitParts(Bytes frame);

    // Signs the commit block as it is now, whatever it says.
    void sign(const crypto::SigningKey& key);

    // With the commit block in its place, under its CID, which the root and the event name.
    Buffer frame();

    FrameParts outer;
    ArchiveParts archive;
    std::size_t commit_at = 0;  // in archive.blocks
    MapParts commit;
};

proto::Cid cid_of(Bytes block);

}  // namespace ringlay::support
