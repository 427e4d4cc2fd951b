#include "storage/queue_codec.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace mailflow {

namespace {

// 1: without DSN requests, edits and what else came with them (has_extras). 2: without variants and
// the places of mailboxes (has_variants).
constexpr std::uint64_t kFirstFormat = 1;
constexpr std::uint64_t kFormat = 3;

// Keeps small numbers short on both sides of 0; times may lie before 1970 when the clock is wrong.
std::uint64_t zigzag(std::int64_t value) noexcept {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

std::int64_t unzigzag(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

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
        : rest_(bytes)
        , format_(number()) {
        sound_ = sound_ && format_ >= kFirstFormat && format_ <= kFormat;
    }

    [[nodiscard]] bool has_extras() const noexcept { return format_ > kFirstFormat; }

    [[nodiscard]] bool has_variants() const noexcept { return format_ > 2; }

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

    template <class Small>
    Small signed_number() {
        const std::int64_t value = unzigzag(number());
        sound_ = sound_ && value >= std::numeric_limits<Small>::min() &&
                 value <= std::numeric_limits<Small>::max();
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
    std::uint64_t format_;  // read by the constructor, which needs those above
};

void pack_path(Packer& out, const ReversePath& path) {
    out.flag(!path.is_null());
    out.text(path.text());
}

void unpack_path(Unpacker& in, ReversePath& path) {
    const bool has_address = in.flag();
    const auto text = in.text();
    if (!has_address || !in.is_sound()) {
        return;
    }
    auto address = EmailAddress::parse(text);
    if (address) {
        path = ReversePath(std::move(*address));
    } else {
        in.refuse();
    }
}

void pack_envelope(Packer& out, const Envelope& envelope) {
    pack_path(out, envelope.reverse_path);
    out.number(static_cast<std::uint64_t>(envelope.body));
    out.flag(envelope.smtputf8);
    out.number(envelope.declared_size);
}

void unpack_envelope(Unpacker& in, Envelope& envelope) {
    unpack_path(in, envelope.reverse_path);
    envelope.body = in.choice(BodyType::binary_mime);
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

// What most messages have nothing of: one number says what is there, so that absent things cost one
// octet together. What comes often has a low bit.
enum Extra : std::uint64_t {
    has_tls = 1,
    has_account = 2,
    has_edits = 4,
    is_trusted = 8,
    has_dsn_return = 16,
    has_envelope_id = 32,
    has_authenticated_sender = 64,
    has_local_received = 128,
    needs_tls = 256,
    has_priority = 512,
    has_deliver_by = 1024,
    has_release = 2048,
    has_variants = 4096,
    waives_tls = 8192,
};

constexpr std::uint64_t kAllExtras = 16383;

std::uint64_t extras_of(const QueuedMessage& message) {
    const auto& envelope = message.envelope;
    const auto& origin = message.origin;
    std::uint64_t extras = 0;
    const auto note = [&extras](bool there, Extra extra) {
        extras |= there ? static_cast<std::uint64_t>(extra) : 0;
    };
    note(!origin.tls.empty(), has_tls);
    note(!origin.account.empty(), has_account);
    note(!message.content.edits.empty(), has_edits);
    note(origin.trusted, is_trusted);
    note(envelope.dsn_return != DsnReturn::unspecified, has_dsn_return);
    note(!envelope.envelope_id.empty(), has_envelope_id);
    note(!envelope.authenticated_sender.empty(), has_authenticated_sender);
    note(message.content.facts.local_received_count > 0, has_local_received);
    note(envelope.require_tls, needs_tls);
    note(envelope.priority != 0, has_priority);
    note(envelope.deliver_by.has_value(), has_deliver_by);
    note(envelope.release != UtcTime{}, has_release);
    note(!message.variants.empty(), has_variants);
    note(message.content.facts.tls_not_required, waives_tls);
    return extras;
}

// Offsets as distances from the end of the edit before.
void pack_edits(Packer& out, const std::vector<HeaderEdit>& edits) {
    out.number(edits.size());
    std::uint64_t end = 0;
    for (const auto& edit : edits) {
        out.number(edit.offset - end);
        out.number(edit.length);
        out.text(edit.text);
        end = edit.offset + edit.length;
    }
}

std::vector<HeaderEdit> edits_of(Unpacker& in, const Content& content) {
    std::vector<HeaderEdit> edits;
    std::uint64_t end = 0;
    for (auto count = in.number(); count > 0 && in.is_sound(); --count) {
        HeaderEdit edit;
        const auto distance = in.number();
        edit.length = in.number();
        edit.text = in.string();
        const auto left = content.body.length - end;
        if (distance > left || edit.length > left - distance) {
            in.refuse();
            break;
        }
        edit.offset = end + distance;
        end = edit.offset + edit.length;
        edits.push_back(std::move(edit));
    }
    return edits;
}

// Many variants share their edits: with the message, or with the variant before. In the same number
// the bits of a prefix that is not the message's, shared likewise.
enum class SharedEdits : std::uint8_t { with_message, with_last, own };
constexpr std::uint64_t kEditsBits = 3;
constexpr std::uint64_t kHasPrefix = 4;
constexpr std::uint64_t kPrefixOfLast = 8;

void pack_variants(Packer& out, const QueuedMessage& message) {
    out.number(message.variants.size());
    const MessageVariant* last = nullptr;
    for (const auto& variant : message.variants) {
        pack_path(out, variant.reverse_path);
        const bool same_path = variant.report_to == variant.reverse_path;
        out.flag(same_path);
        if (!same_path) pack_path(out, variant.report_to);
        auto shared = SharedEdits::own;
        if (variant.edits == message.content.edits) {
            shared = SharedEdits::with_message;
        } else if (last != nullptr && variant.edits == last->edits) {
            shared = SharedEdits::with_last;
        }
        const bool has_last_prefix = last != nullptr && variant.prefix == last->prefix;
        out.number(
            static_cast<std::uint64_t>(shared) | (variant.prefix ? kHasPrefix : 0U) |
            (variant.prefix && has_last_prefix ? kPrefixOfLast : 0U));
        if (shared == SharedEdits::own) pack_edits(out, variant.edits);
        if (variant.prefix && !has_last_prefix) out.text(*variant.prefix);
        last = &variant;
    }
}

void unpack_header(Unpacker& in, const QueuedMessage& message, MessageVariant& variant) {
    const auto bits = in.number();
    const auto shared = bits & kEditsBits;
    const auto prefix = bits & ~kEditsBits;
    const bool shares_with_last =
        shared == static_cast<std::uint64_t>(SharedEdits::with_last) || prefix > kHasPrefix;
    const bool is_known =
        shared <= static_cast<std::uint64_t>(SharedEdits::own) &&
        (prefix == 0 || prefix == kHasPrefix || prefix == (kHasPrefix | kPrefixOfLast));
    if (!is_known || (shares_with_last && message.variants.empty())) {
        in.refuse();
        return;
    }
    switch (static_cast<SharedEdits>(shared)) {
        case SharedEdits::with_message: variant.edits = message.content.edits; break;
        case SharedEdits::with_last: variant.edits = message.variants.back().edits; break;
        case SharedEdits::own: variant.edits = edits_of(in, message.content); break;
    }
    if (prefix == kHasPrefix) {
        variant.prefix = in.string();
    } else if (prefix != 0) {
        variant.prefix = message.variants.back().prefix;
    }
}

void unpack_variants(Unpacker& in, QueuedMessage& message) {
    for (auto count = in.number(); count > 0 && in.is_sound(); --count) {
        MessageVariant variant;
        unpack_path(in, variant.reverse_path);
        if (in.flag()) {
            variant.report_to = variant.reverse_path;
        } else {
            unpack_path(in, variant.report_to);
        }
        unpack_header(in, message, variant);
        message.variants.push_back(std::move(variant));
    }
}

void pack_deliver_by(Packer& out, const DeliverBy& by) {
    out.number(zigzag(by.seconds));
    out.number((by.return_late ? 1U : 0U) | (by.trace ? 2U : 0U));
}

DeliverBy deliver_by_of(Unpacker& in) {
    const auto seconds = in.signed_number<std::int32_t>();
    const auto flags = in.number();
    return {seconds, (flags & 1) != 0, (flags & 2) != 0};
}

void pack_extras(Packer& out, const QueuedMessage& message) {
    const auto extras = extras_of(message);
    const auto& envelope = message.envelope;
    out.number(extras);
    if (extras & has_tls) out.text(message.origin.tls);
    if (extras & has_account) out.text(message.origin.account);
    if (extras & has_edits) pack_edits(out, message.content.edits);
    if (extras & has_dsn_return) out.number(static_cast<std::uint64_t>(envelope.dsn_return));
    if (extras & has_envelope_id) out.text(envelope.envelope_id);
    if (extras & has_authenticated_sender) out.text(envelope.authenticated_sender);
    if (extras & has_local_received) out.number(message.content.facts.local_received_count);
    if (extras & has_priority) out.number(zigzag(envelope.priority));
    if (extras & has_deliver_by) pack_deliver_by(out, *envelope.deliver_by);
    if (extras & has_release) out.number(zigzag(envelope.release.time_since_epoch().count()));
    if (extras & has_variants) pack_variants(out, message);
}

void unpack_extras(Unpacker& in, QueuedMessage& message) {
    const auto extras = in.number();
    if (extras > kAllExtras) {
        in.refuse();
        return;
    }
    auto& envelope = message.envelope;
    message.origin.trusted = (extras & is_trusted) != 0;
    envelope.require_tls = (extras & needs_tls) != 0;
    message.content.facts.tls_not_required = (extras & waives_tls) != 0;
    if (extras & has_tls) message.origin.tls = in.string();
    if (extras & has_account) message.origin.account = in.string();
    if (extras & has_edits) message.content.edits = edits_of(in, message.content);
    if (extras & has_dsn_return) envelope.dsn_return = in.choice(DsnReturn::headers);
    if (extras & has_envelope_id) envelope.envelope_id = in.string();
    if (extras & has_authenticated_sender) envelope.authenticated_sender = in.string();
    if (extras & has_local_received) {
        message.content.facts.local_received_count = in.small<std::uint32_t>();
    }
    if (extras & has_priority) envelope.priority = in.signed_number<std::int8_t>();
    if (extras & has_deliver_by) envelope.deliver_by = deliver_by_of(in);
    if (extras & has_release) envelope.release = UtcTime(Duration(unzigzag(in.number())));
    if (extras & has_variants) unpack_variants(in, message);
}

// Beside the bits of NotifyOn.
constexpr std::uint64_t kHasOriginal = 16;
constexpr std::uint64_t kHasVariant = 32;
constexpr std::uint64_t kHasPlace = 64;

// What most recipients have nothing of: one octet then.
void pack_recipient_extras(Packer& out, const QueuedRecipient& recipient) {
    const auto& original = recipient.dsn.original_recipient;
    const bool has_place = recipient.place != DeliveryTarget{};
    out.number(
        recipient.dsn.notify | (original.empty() ? 0U : kHasOriginal) |
        (recipient.variant == 0 ? 0U : kHasVariant) | (has_place ? kHasPlace : 0U));
    if (!original.empty()) out.text(original);
    if (recipient.variant != 0) out.number(recipient.variant);
    if (has_place) {
        out.number(static_cast<std::uint64_t>(recipient.place.kind));
        out.text(recipient.place.place);
    }
}

void unpack_recipient_extras(Unpacker& in, QueuedRecipient& recipient) {
    const auto bits = in.number();
    if (bits >= (in.has_variants() ? 2 * kHasPlace : 2 * kHasOriginal)) {
        in.refuse();
        return;
    }
    recipient.dsn.notify = static_cast<std::uint8_t>(bits % kHasOriginal);
    if (bits & kHasOriginal) recipient.dsn.original_recipient = in.string();
    if (bits & kHasVariant) recipient.variant = in.small<std::uint16_t>();
    if (bits & kHasPlace) {
        recipient.place.kind = in.choice(DeliveryTarget::Kind::smtp);
        recipient.place.place = in.string();
    }
}

}  // namespace

std::string pack_message(const QueuedMessage& message) {
    Packer out;
    out.number(zigzag(message.accepted.time_since_epoch().count()));
    pack_envelope(out, message.envelope);
    pack_origin(out, message.origin);
    pack_content(out, message.content);
    pack_extras(out, message);
    return out.take();
}

Result<> unpack_message(std::string_view bytes, QueuedMessage& message) {
    Unpacker in(bytes);
    message.accepted = UtcTime(Duration(unzigzag(in.number())));
    unpack_envelope(in, message.envelope);
    unpack_origin(in, message.origin);
    unpack_content(in, message.content);
    if (in.has_extras()) {
        unpack_extras(in, message);
    }
    return in.end();
}

std::string pack_recipient(const QueuedRecipient& recipient) {
    Packer out;
    out.number(static_cast<std::uint64_t>(recipient.target));
    out.text(recipient.address.text());
    out.text(recipient.original);
    out.text(recipient.mailbox);
    pack_recipient_extras(out, recipient);
    return out.take();
}

Result<QueuedRecipient> unpack_recipient(std::string_view bytes) {
    Unpacker in(bytes);
    const auto target = in.choice(RecipientTarget::remote);
    auto address = EmailAddress::parse(in.text());
    auto original = in.string();
    auto mailbox = in.string();
    if (!address) {
        return make_error_code(Error::corrupt);
    }
    QueuedRecipient recipient{
        .number = 0,
        .target = target,
        .address = std::move(*address),
        .original = std::move(original),
        .mailbox = std::move(mailbox),
        .next_hop = {},
        .last = std::nullopt};
    if (in.has_extras()) {
        unpack_recipient_extras(in, recipient);
    }
    const auto whole = in.end();
    if (!whole) {
        return whole.error();
    }
    return recipient;
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
