#include "tests/transport/route/categorizer_fixture.hpp"
#include "transport/addressing/header_rewriter.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

const std::string kTrace = "Received: from a by mail.contoso.com; now\r\n";

struct Company : CategorizerFixture {
    Company() {
        directory.mailbox("Alice", {"alice@contoso.com", "al@contoso.com"});
        directory.mailbox("Bob", {"bob@contoso.com"});
        scan("Subject: x\r\n\r\n");
    }

    void scan(std::string_view text) {
        HeaderWishes wishes;
        wishes.places = wishes.texts = rewritable_fields(true);
        HeaderScanner scanner({}, wishes);
        scanner.feed(text);
        (void)scanner.finish();
        header = scanner.take_header();
        request.header = &header;
    }

    void add_brand(bool recipient_fields) {
        parts.address_rewrites.push_back(
            {.name = "brand",
             .internal =
                 {.address = std::nullopt,
                  .domain = DomainName::parse("contoso.com").value(),
                  .include_subdomains = false},
             .external =
                 {.address = std::nullopt,
                  .domain = DomainName::parse("brand.example").value(),
                  .include_subdomains = false},
             .exceptions = {},
             .outbound_only = false,
             .rewrite_recipient_fields = recipient_fields});
    }

    // What this row gets in front of the header.
    [[nodiscard]] std::string prefix_of(std::string_view address) const {
        QueuedMessage message;
        message.content.prefix = result.prefix;
        message.variants = result.variants;
        return message.prefix_of(row(address));
    }

    ScannedHeader header;
};

}  // namespace

TEST_CASE_METHOD(
    Company, "Fields added at submission leave with primary addresses too", "[route][rewrite]") {
    log_in("Alice");
    set_sender("al@contoso.com");
    request.prefix = kTrace + "From: al@contoso.com\r\nSender: al@contoso.com\r\n";
    to("bob@contoso.com");
    to("x@example.net");

    run();

    CHECK(prefix_of("bob@contoso.com") == request.prefix);
    CHECK(
        prefix_of("x@example.net") ==
        kTrace + "From: alice@contoso.com\r\nSender: alice@contoso.com\r\n");
    CHECK(
        events(TrackingEventId::rewrite) ==
        Rows{"al@contoso.com | From", "al@contoso.com | Sender", "al@contoso.com | MAIL FROM"});
}

TEST_CASE_METHOD(
    Company,
    "An added field alone makes a variant, also of a primary address nobody else named",
    "[route][rewrite]") {
    log_in("Alice");
    set_sender("");
    request.prefix = kTrace + "From: al@contoso.com\r\n";
    to("x@example.net");

    run();

    CHECK(result.variants.size() == 1);
    CHECK(prefix_of("x@example.net") == kTrace + "From: alice@contoso.com\r\n");
    CHECK(result.prefix == request.prefix);
}

TEST_CASE_METHOD(
    Company, "Entries map added fields of what leaves, and no trace field", "[route][rewrite]") {
    add_brand(false);
    log_in("Alice");
    request.prefix = kTrace + "From: alice@contoso.com\r\nReply-To: al@contoso.com\r\n";
    to("x@example.net");
    to("bob@contoso.com");

    run();

    CHECK(
        prefix_of("x@example.net") ==
        kTrace + "From: alice@brand.example\r\nReply-To: alice@brand.example\r\n");
    CHECK(prefix_of("bob@contoso.com") == request.prefix);
}

TEST_CASE_METHOD(
    Company,
    "Added To and Cc are mapped back for who stays, sender fields are not",
    "[route][rewrite]") {
    add_brand(true);
    request.prefix = kTrace + "From: eve@brand.example\r\nTo: alice@brand.example\r\n";
    to("alice@contoso.com");
    to("x@example.net");

    run();

    const auto inside = kTrace + "From: eve@brand.example\r\nTo: alice@contoso.com\r\n";
    CHECK(result.prefix == inside);
    CHECK(prefix_of("alice@contoso.com") == inside);
    CHECK(prefix_of("x@example.net") == request.prefix);
    CHECK(events(TrackingEventId::rewrite) == Rows{"alice@brand.example | To"});
}

TEST_CASE_METHOD(
    Company, "Without changes there is one prefix and no variant", "[route][rewrite]") {
    add_brand(false);
    set_sender("eve@example.org");
    request.prefix = kTrace + "From: eve@example.org\r\n";
    to("alice@contoso.com");
    to("x@example.net");

    run();

    CHECK(result.prefix == request.prefix);
    CHECK(result.variants.empty());
}

}  // namespace mailflow
