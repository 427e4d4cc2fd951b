// A message's content as it is kept and sent: an immutable stored body (header and body as
// received, CRLF lines, dot-unstuffed), edits of its header, and a prefix of header fields we added
// in front of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

// Where the stored octets are. `file` 0 means: in the queue's row of the message.
struct BodyRef {
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    // First 16 octets of SHA-256 over the stored octets.
    std::array<std::uint8_t, 16> checksum{};

    friend bool operator==(const BodyRef&, const BodyRef&) = default;
};

// Facts about the content, learned while it streamed in.
struct ContentFacts {
    bool eight_bit = false;            // an octet over 127 in header or body
    bool smtputf8_header = false;      // an octet over 127 in the header
    std::uint32_t received_count = 0;  // Received fields: hops so far
    // Of those, the ones written by this node: more than a few mean a loop.
    std::uint32_t local_received_count = 0;
    bool has_date = false;
    bool has_from = false;
    // RFC 8689 §5: `TLS-Required: No`. The sender would rather have it arrive than be secret.
    bool tls_not_required = false;
    std::string message_id;  // with angle brackets; empty when absent
    std::string subject;     // unfolded, raw, at most 256 octets
    // Octets of the stored body up to and including the empty line.
    std::uint64_t header_size = 0;
};

// Replaces `length` octets of the stored body, from `offset` on, by `text`: whole header fields, or
// a piece of one (the domain a bare address lacks), or the empty line in front of a message that
// begins with a blank. Lines of `text` end with CRLF.
struct HeaderEdit {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;  // 0: `text` is put in before the octet at `offset`
    std::string text;          // empty: the range is left out

    friend bool operator==(const HeaderEdit&, const HeaderEdit&) = default;
};

struct Content {
    BodyRef body;
    std::string prefix;             // complete header fields, each ended by CRLF
    std::vector<HeaderEdit> edits;  // by offset, without overlap, all within the header
    ContentFacts facts;

    // Of what is sent and shown: prefix and edited body.
    [[nodiscard]] std::uint64_t size() const noexcept { return edited_size(body.length); }

    // Of the header alone, as it is sent: prefix and edited fields, with the empty line.
    [[nodiscard]] std::uint64_t header_size() const noexcept {
        return edited_size(facts.header_size);
    }

  private:
    [[nodiscard]] std::uint64_t edited_size(std::uint64_t stored) const noexcept {
        auto size = prefix.size() + stored;
        for (const auto& edit : edits) {
            size = size - edit.length + edit.text.size();
        }
        return size;
    }
};

}  // namespace mailflow
