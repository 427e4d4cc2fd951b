#include "storage/queue_codec.hpp"

#include "tests/storage/queue_messages.hpp"
#include "tests/support/seeded_random.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <cstddef>

namespace mailflow {

namespace {

// What the program of format 1 packed of make_submission(7), of its recipient, and of
// busy_status().
const std::string kFirstMessage =
    "018098bae0f1660112616c6963654066616272696b616d2e636f6d0100191044656661"
    "756c742046726f6e74656e640e636c69656e742e6578616d706c6504c0000207054553"
    "4d545000001910463e4146163a580de540ab68b959a9f31352656365697665643a2062"
    "7920746573740d0a0000020000103c314066616272696b616d2e636f6d3e0568656c6c"
    "6f12";
const std::string kFirstRecipient =
    "01010f626f6240636f6e746f736f2e636f6d0f626f6240636f6e746f736f2e636f6d00";
const std::string kFirstStatus =
    "01030405010e34353120342e352e3120627573790f6d78312e636f6e746f736f2e636f"
    "6d0c3139322e302e322e393a323501";

// Everything a message can carry.
QueuedMessage full_message() {
    auto message = make_submission(7).message;
    auto& envelope = message.envelope;
    envelope.body = BodyType::binary_mime;
    envelope.dsn_return = DsnReturn::headers;
    envelope.envelope_id = "QQ314159";
    envelope.authenticated_sender = "alice@fabrikam.com";
    envelope.require_tls = true;
    envelope.priority = -9;
    envelope.deliver_by = DeliverBy{-120, false, true};
    envelope.release = kTestTime + std::chrono::hours(3);
    message.origin.account = "alice";
    message.origin.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519";
    message.origin.trusted = true;
    message.content.edits = {{0, 9, ""}, {9, 0, "X: y\r\n"}, {16, 2, "\r\n"}};
    message.content.facts.local_received_count = 3;
    message.content.facts.tls_not_required = true;
    const auto owner = ReversePath(EmailAddress::parse("owner@contoso.com").value());
    const std::vector<HeaderEdit> edits = {{9, 2, "Y: z\r\n"}};
    message.variants = {
        {owner, owner, message.content.edits},
        {owner, message.envelope.reverse_path, edits},
        {ReversePath(), ReversePath(), edits, "From: a@b\r\n"},
        {owner, owner, edits, "From: a@b\r\n"},
        {owner, owner, edits, ""},
        {owner, ReversePath(), {}}};
    return message;
}

QueuedMessage unpacked(const std::string& bytes) {
    QueuedMessage message;
    unpack_message(bytes, message).value();
    return message;
}

bool same(const Envelope& a, const Envelope& b) {
    return a.reverse_path == b.reverse_path && a.body == b.body && a.smtputf8 == b.smtputf8 &&
           a.declared_size == b.declared_size && a.dsn_return == b.dsn_return &&
           a.envelope_id == b.envelope_id && a.authenticated_sender == b.authenticated_sender &&
           a.require_tls == b.require_tls && a.priority == b.priority &&
           a.deliver_by == b.deliver_by && a.release == b.release;
}

}  // namespace

TEST_CASE("Everything a message carries comes back", "[storage][codec]") {
    const auto given = full_message();

    const auto found = unpacked(pack_message(given));

    CHECK(same(found.envelope, given.envelope));
    CHECK(found.origin.account == "alice");
    CHECK(found.origin.tls == given.origin.tls);
    CHECK(found.origin.trusted);
    CHECK(found.content.edits == given.content.edits);
    CHECK(found.content.facts.local_received_count == 3);
    CHECK(found.content.facts.tls_not_required);
    CHECK(found.content.facts.subject == "hello");
    CHECK(found.variants == given.variants);
}

TEST_CASE("Each thing a message can carry stands for itself", "[storage][codec]") {
    const auto full = full_message();
    auto given = make_submission(7).message;
    SECTION("nothing") {}
    SECTION("DSN return") {
        given.envelope.dsn_return = DsnReturn::full;
    }
    SECTION("envelope id") {
        given.envelope.envelope_id = full.envelope.envelope_id;
    }
    SECTION("authenticated sender") {
        given.envelope.authenticated_sender = "<>";
    }
    SECTION("TLS required") {
        given.envelope.require_tls = true;
    }
    SECTION("priority") {
        given.envelope.priority = 9;
    }
    SECTION("deliver by") {
        given.envelope.deliver_by = DeliverBy{600, true, false};
    }
    SECTION("release") {
        given.envelope.release = full.envelope.release;
    }
    SECTION("account") {
        given.origin.account = "alice";
    }
    SECTION("TLS") {
        given.origin.tls = full.origin.tls;
    }
    SECTION("trusted") {
        given.origin.trusted = true;
    }
    SECTION("edits") {
        given.content.edits = full.content.edits;
    }

    const auto found = unpacked(pack_message(given));

    CHECK(same(found.envelope, given.envelope));
    CHECK(found.origin.account == given.origin.account);
    CHECK(found.origin.tls == given.origin.tls);
    CHECK(found.origin.trusted == given.origin.trusted);
    CHECK(found.content.edits == given.content.edits);
}

TEST_CASE("A recipient's DSN request comes back", "[storage][codec]") {
    auto given = make_recipient(0, "bob@contoso.com");
    SECTION("nothing asked") {}
    SECTION("NOTIFY alone") {
        given.dsn.notify = 14;
    }
    SECTION("ORCPT alone") {
        given.dsn.original_recipient = "rfc822;bob@contoso.com";
    }
    SECTION("both") {
        given.dsn = {static_cast<std::uint8_t>(NotifyOn::never), "utf-8;b\xc3\xbc@contoso.com"};
    }

    const auto found = unpack_recipient(pack_recipient(given)).value();

    CHECK(found.dsn == given.dsn);
    CHECK(found.address == given.address);
}

TEST_CASE("A recipient's variant and place come back", "[storage][codec]") {
    auto given = make_recipient(0, "bob@contoso.com");
    given.variant = 65'535;
    given.place = {DeliveryTarget::Kind::lmtp, "unix:/run/dovecot/lmtp"};
    given.dsn.notify = 14;

    const auto found = unpack_recipient(pack_recipient(given)).value();

    CHECK(found.variant == given.variant);
    CHECK(found.place == given.place);
    CHECK(found.dsn == given.dsn);
}

TEST_CASE("Rows that the second format wrote are read", "[storage][codec]") {
    auto given = full_message();
    given.variants.clear();
    auto message = pack_message(given);
    auto recipient = pack_recipient(given.recipients[0]);
    message[0] = 2;
    recipient[0] = 2;

    CHECK(same(unpacked(message).envelope, given.envelope));
    CHECK(unpacked(message).content.edits == given.content.edits);
    CHECK(unpack_recipient(recipient).value().address == given.recipients[0].address);
}

TEST_CASE("Rows that the first format wrote are read", "[storage][codec]") {
    const auto message = hex_decode(kFirstMessage).value();
    const auto recipient = hex_decode(kFirstRecipient).value();
    const auto status = hex_decode(kFirstStatus).value();
    const auto given = make_submission(7).message;

    const auto found = unpacked(message);

    CHECK(same(found.envelope, given.envelope));
    CHECK(found.accepted == given.accepted);
    CHECK(found.origin.connector == given.origin.connector);
    CHECK(found.origin.client == given.origin.client);
    CHECK(found.content.body == given.content.body);
    CHECK(found.content.facts.header_size == 18);
    CHECK(found.content.edits.empty());
    CHECK(unpack_recipient(recipient).value().address.text() == "bob@contoso.com");
    CHECK(unpack_recipient(recipient).value().dsn == DsnRequest{});
    CHECK(unpack_status(status).value() == busy_status());
}

TEST_CASE("What a message does not carry costs one octet", "[storage][codec]") {
    const auto first_format = hex_decode(kFirstMessage).value();
    const auto first_recipient = hex_decode(kFirstRecipient).value();
    const auto message = make_submission(7).message;

    CHECK(pack_message(message).size() == first_format.size() + 1);
    CHECK(pack_recipient(message.recipients[0]).size() == first_recipient.size() + 1);
}

TEST_CASE("A damaged row is refused, never misread beyond its fields", "[storage][codec]") {
    const auto message = pack_message(full_message());
    QueuedMessage found;

    SECTION("cut anywhere") {
        for (std::size_t size = 0; size < message.size(); ++size) {
            CHECK(unpack_message(message.substr(0, size), found).has_error());
        }
    }
    SECTION("with octets behind") {
        CHECK(unpack_message(message + '\0', found).has_error());
    }
    SECTION("of a later format") {
        auto later = message;
        later[0] = 4;
        CHECK(unpack_message(later, found).error() == Error::corrupt);
    }
    SECTION("an edit beyond the body") {
        auto given = make_submission(7).message;
        given.content.edits = {{given.content.body.length, 1, ""}};
        CHECK(unpack_message(pack_message(given), found).error() == Error::corrupt);
    }
    SECTION("any octet changed") {
        SeededRandom random(1);
        for (int round = 0; round < 5'000; ++round) {
            auto damaged = message;
            const auto at = random.below(damaged.size());
            damaged[at] = static_cast<char>(random.below(256));
            QueuedMessage read;
            (void)unpack_message(damaged, read);
        }
    }
}

}  // namespace mailflow
