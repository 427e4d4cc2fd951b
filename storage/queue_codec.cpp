#include "storage/queue_codec.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace mailflow {

namespace {

constexpr std::uint64_t kFormat = 1;

class Packer {
  public:
    Packer() { number(kFormat); }

    void number(std::uint64_t value) {
        while (value >= 0x80) {
            bytes_.push_back(static_cast<char>((value & 0x7f) | 0x80));
            value >>= 7;
        }
        bytes_.push_back(static_cast<char>(value));
    }

    void flag(bool value) { number(value ? 1 : 0); }

    void text(std::string_view value) {
        number(value.size());
        bytes_ += value;
    }

    std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

// After the first field that does not fit everything reads as zero and `is_sound` is false.
class Unpacker {
  public:
    explicit Unpacker(std::string_view bytes)
        : rest_(bytes) {
        sound_ = number() == kFormat;
    }

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) {
                break;
            }
            const auto octet = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
            if (octet < 0x80) {
                return value;
            }
        }
        sound_ = false;
        return 0;
    }

    bool flag() { return number() != 0; }

    template <class Enum>
    Enum choice(Enum last) {
        const std::uint64_t value = number();
        sound_ = sound_ && value <= static_cast<std::uint64_t>(last);
        return sound_ ? static_cast<Enum>(value) : Enum{};
    }

    template <class Small>
    Small small() {
        const std::uint64_t value = number();
        sound_ = sound_ && value <= std::numeric_limits<Small>::max();
        return sound_ ? static_cast<Small>(value) : Small{};
    }

    std::string_view text() {
        const std::uint64_t size = number();
        if (!sound_ || size > rest_.size()) {
            sound_ = false;
            return {};
        }
        const auto value = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(value.size());
        return value;
    }

    std::string string() { return std::string(text()); }

    [[nodiscard]] Result<> end() const {
        if (!sound_ || !rest_.empty()) {
            return make_error_code(Error::corrupt);
        }
        return {};
    }

    [[nodiscard]] bool is_sound() const noexcept { return sound_; }

    void refuse() noexcept { sound_ = false; }

  private:
    std::string_view rest_;
    bool sound_ = true;
};

// Times may lie before 1970 when the clock is wrong: zigzag keeps small ones short.
std::uint64_t zigzag(std::int64_t value) noexcept {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

std::int64_t unzigzag(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

void pack_envelope(Packer& out, const Envelope& envelope) {
    out.flag(!envelope.reverse_path.is_null());
    out.text(envelope.reverse_path.text());
    out.number(static_cast<std::uint64_t>(envelope.body));
    out.flag(envelope.smtputf8);
    out.number(envelope.declared_size);
}

void unpack_envelope(Unpacker& in, Envelope& envelope) {
    const bool has_sender = in.flag();
    const auto sender = in.text();
    if (has_sender && in.is_sound()) {
        auto address = EmailAddress::parse(sender);
        if (address) {
            envelope.reverse_path = ReversePath(std::move(*address));
        } else {
            in.refuse();
        }
    }
    envelope.body = in.choice(BodyType::eight_bit_mime);
    envelope.smtputf8 = in.flag();
    envelope.declared_size = in.number();
}

std::string_view octets(const IpAddress& address) noexcept {
    const auto& bytes = address.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), address.is_v4() ? 4U : bytes.size()};
}

IpAddress address_of(Unpacker& in) {
    const auto text = in.text();
    IpAddress::Bytes bytes{};
    if (text.size() != 4 && text.size() != bytes.size()) {
        in.refuse();
        return {};
    }
    std::transform(text.begin(), text.end(), bytes.begin(), [](char c) {
        return static_cast<std::uint8_t>(c);
    });
    if (text.size() == 4) {
        return IpAddress::v4(
            (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
            (std::uint32_t{bytes[2]} << 8) | bytes[3]);
    }
    return IpAddress::v6(bytes);
}

void pack_origin(Packer& out, const Origin& origin) {
    out.text(origin.connector);
    out.text(origin.helo);
    out.text(octets(origin.client));
    out.text(origin.protocol);
}

void unpack_origin(Unpacker& in, Origin& origin) {
    origin.connector = in.string();
    origin.helo = in.string();
    origin.client = address_of(in);
    origin.protocol = in.string();
}

void pack_content(Packer& out, const Content& content) {
    const auto& checksum = content.body.checksum;
    out.number(content.body.file);
    out.number(content.body.offset);
    out.number(content.body.length);
    out.text({reinterpret_cast<const char*>(checksum.data()), checksum.size()});
    out.text(content.prefix);
    const auto& facts = content.facts;
    out.flag(facts.eight_bit);
    out.flag(facts.smtputf8_header);
    out.number(facts.received_count);
    out.flag(facts.has_date);
    out.flag(facts.has_from);
    out.text(facts.message_id);
    out.text(facts.subject);
    out.number(facts.header_size);
}

void unpack_content(Unpacker& in, Content& content) {
    auto& body = content.body;
    body.file = in.number();
    body.offset = in.number();
    body.length = in.number();
    const auto checksum = in.text();
    if (checksum.size() != body.checksum.size()) {
        in.refuse();
        return;
    }
    std::transform(checksum.begin(), checksum.end(), body.checksum.begin(), [](char c) {
        return static_cast<std::uint8_t>(c);
    });
    content.prefix = in.string();
    auto& facts = content.facts;
    facts.eight_bit = in.flag();
    facts.smtputf8_header = in.flag();
    facts.received_count = in.small<std::uint32_t>();
    facts.has_date = in.flag();
    facts.has_from = in.flag();
    facts.message_id = in.string();
    facts.subject = in.string();
    facts.header_size = in.number();
}

}  // namespace

std::string pack_message(const QueuedMessage& message) {
    Packer out;
    out.number(zigzag(message.accepted.time_since_epoch().count()));
    pack_envelope(out, message.envelope);
    pack_origin(out, message.origin);
    pack_content(out, message.content);
    return out.take();
}

Result<> unpack_message(std::string_view bytes, QueuedMessage& message) {
    Unpacker in(bytes);
    message.accepted = UtcTime(Duration(unzigzag(in.number())));
    unpack_envelope(in, message.envelope);
    unpack_origin(in, message.origin);
    unpack_content(in, message.content);
    return in.end();
}

std::string pack_recipient(const QueuedRecipient& recipient) {
    Packer out;
    out.number(static_cast<std::uint64_t>(recipient.target));
    out.text(recipient.address.text());
    out.text(recipient.original);
    out.text(recipient.mailbox);
    return out.take();
}

Result<QueuedRecipient> unpack_recipient(std::string_view bytes) {
    Unpacker in(bytes);
    const auto target = in.choice(RecipientTarget::remote);
    auto address = EmailAddress::parse(in.text());
    auto original = in.string();
    auto mailbox = in.string();
    const auto whole = in.end();
    if (!whole || !address) {
        return make_error_code(Error::corrupt);
    }
    return QueuedRecipient{
        0,
        target,
        std::move(*address),
        std::move(original),
        std::move(mailbox),
        RecipientState::ready,
        false,
        false,
        0,
        UtcTime{},
        std::string(),
        std::nullopt};
}

std::string pack_status(const DeliveryStatus& status) {
    Packer out;
    out.number(static_cast<std::uint64_t>(status.action));
    out.number(status.status.klass);
    out.number(status.status.subject);
    out.number(status.status.detail);
    out.text(status.diagnostic);
    out.text(status.remote_mta);
    out.text(status.remote_address);
    out.flag(status.by_remote);
    return out.take();
}

Result<DeliveryStatus> unpack_status(std::string_view bytes) {
    Unpacker in(bytes);
    DeliveryStatus status;
    status.action = in.choice(DeliveryAction::failed);
    status.status.klass = in.small<std::uint16_t>();
    status.status.subject = in.small<std::uint16_t>();
    status.status.detail = in.small<std::uint16_t>();
    status.diagnostic = in.string();
    status.remote_mta = in.string();
    status.remote_address = in.string();
    status.by_remote = in.flag();
    const auto whole = in.end();
    if (!whole) {
        return whole.error();
    }
    return status;
}

}  // namespace mailflow
