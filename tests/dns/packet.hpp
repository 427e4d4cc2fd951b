// Builds DNS answers octet by octet for tests, so that any of them can be wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow::dns::testing {

class Packet {
  public:
    Packet& u8(unsigned value) {
        octets_.push_back(static_cast<char>(value & 0xff));
        return *this;
    }

    Packet& u16(unsigned value) { return u8(value >> 8).u8(value); }

    Packet& u32(std::uint32_t value) { return u16(value >> 16).u16(value & 0xffff); }

    Packet& raw(std::string_view octets) {
        octets_ += octets;
        return *this;
    }

    // Labels as given, uncompressed.
    Packet& name(std::string_view text) {
        while (!text.empty()) {
            const auto label = text.substr(0, text.find('.'));
            u8(static_cast<unsigned>(label.size())).raw(label);
            text.remove_prefix(label.size() + (label.size() < text.size() ? 1 : 0));
        }
        return u8(0);
    }

    Packet& pointer(unsigned offset) { return u16(0xc000 | offset); }

    // Everything of a record after its owner but the data.
    Packet& record(unsigned type, std::uint32_t ttl, std::size_t length) {
        return u16(type).u16(1).u32(ttl).u16(static_cast<unsigned>(length));
    }

    // The head of an answer to `query`: its id and question, the flags and the counts given.
    static Packet answer_to(
        std::string_view query,
        unsigned flags,
        unsigned answers,
        unsigned authority = 0,
        unsigned additional = 0) {
        Packet packet;
        packet.raw(query.substr(0, 2))
            .u16(flags)
            .u16(1)
            .u16(answers)
            .u16(authority)
            .u16(additional);
        const auto question_end = query.find('\0', 12) + 5;
        return packet.raw(query.substr(12, question_end - 12));
    }

    [[nodiscard]] const std::string& octets() const { return octets_; }

  private:
    std::string octets_;
};

}  // namespace mailflow::dns::testing
