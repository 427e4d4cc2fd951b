#include "transport/route/categorization.hpp"

#include "tests/transport/route/categorizer_fixture.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

constexpr auto kSuccess = static_cast<std::uint8_t>(NotifyOn::success);
constexpr auto kFailure = static_cast<std::uint8_t>(NotifyOn::failure);
constexpr auto kNever = static_cast<std::uint8_t>(NotifyOn::never);

struct Company : CategorizerFixture {
    Company() {
        directory.mailbox("Alice", {"alice@contoso.com", "al@contoso.com"});
        directory.mailbox("Bob", {"bob@contoso.com"});
        directory.mailbox("Carl", {"carl@contoso.com"});
        directory.contact("Dora", {"dora@contoso.com"}, "dora@example.net");
    }
};

}  // namespace

// ---- resolve

TEST_CASE_METHOD(Company, "A mailbox is asked for once and leaves no notes", "[route][resolve]") {
    to("alice@contoso.com");

    run();

    CHECK(rows() == Rows{"Alice alice@contoso.com"});
    CHECK(result.notes.empty());
    CHECK(result.variants.empty());
    CHECK(directory.look_ups() == 1);
}

TEST_CASE_METHOD(
    Company,
    "Fact 15: mail to a secondary address goes to the primary, ORCPT keeps the old one",
    "[route][resolve]") {
    to("AL@contoso.com");

    run();

    CHECK(row("alice@contoso.com").original == "AL@contoso.com");
    CHECK(row("alice@contoso.com").dsn.original_recipient == "rfc822;AL@contoso.com");
    CHECK(events(TrackingEventId::resolve).size() == 1);
}

TEST_CASE_METHOD(Company, "Fact 15: an ORCPT that was given stays as it is", "[route][resolve]") {
    to("al@contoso.com");
    request.recipients.front().dsn.original_recipient = "rfc822;older@example.org";

    run();

    CHECK(row("alice@contoso.com").dsn.original_recipient == "rfc822;older@example.org");
}

TEST_CASE_METHOD(
    Company,
    "Fact 10: who was accepted unseen and is not there fails with 5.1.1",
    "[route][resolve]") {
    to("nobody@contoso.com");
    to("bob@contoso.com");

    run();

    CHECK(rows() == Rows{"! nobody@contoso.com 5.1.1", "Bob bob@contoso.com"});
    CHECK_FALSE(result.recipients[0].reported);
    CHECK(
        result.recipients[0].last->diagnostic == "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found");
    CHECK(events(TrackingEventId::fail).size() == 1);
}

TEST_CASE_METHOD(
    Company,
    "Fact 11: an internal relay domain delivers here whom it has and relays the others",
    "[route][resolve]") {
    directory.mailbox("Sub", {"sub@subsidiary.com"});
    to("sub@subsidiary.com");
    to("other@subsidiary.com");
    to("any@hosted.com");

    run();

    CHECK(rows() == Rows{"Sub sub@subsidiary.com", "other@subsidiary.com", "any@hosted.com"});
}

TEST_CASE_METHOD(
    Company, "A recipient named by two of its addresses gets one copy", "[route][resolve]") {
    to("alice@contoso.com");
    to("al@contoso.com");
    to("x@example.net");
    to("x@example.net");

    run();

    CHECK(rows() == Rows{"Alice alice@contoso.com", "x@example.net"});
}

TEST_CASE_METHOD(
    Company, "An SRS address of ours leads back to the sender it was made for", "[route][srs]") {
    run();
    const auto srs =
        tools->srs()->forward(EmailAddress::parse("joe@example.net").value(), request.now).value();
    set_sender("");
    request.auto_submitted = AutoSubmitted::generated;
    to(srs.text());
    to("SRS0=AAAAAA=AA=example.net=joe@contoso.com");

    run();

    CHECK(result.recipients.front().address.text() == "joe@example.net");
    CHECK(result.recipients.front().state == RecipientState::ready);
    CHECK(result.recipients.back().state == RecipientState::failed);
}

// ---- restrict

TEST_CASE_METHOD(
    Company, "A member who wants logged-in senders only fails with 5.7.1", "[route][restrict]") {
    directory.mailbox("Boss", {"boss@contoso.com"}).limits.require_authenticated_sender = true;
    directory.group("Staff", {"staff@contoso.com"}, {"Alice", "Boss"});
    to("staff@contoso.com");

    run();

    CHECK(rows() == Rows{"Alice alice@contoso.com", "! boss@contoso.com 5.7.1"});
    CHECK(
        row("boss@contoso.com").last->diagnostic ==
        "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required");
    CHECK(row("boss@contoso.com").original == "staff@contoso.com");
}

TEST_CASE_METHOD(
    Company, "Accept and reject lists name senders and groups of them", "[route][restrict]") {
    directory.group("Friends", {"friends@contoso.com"}, {"Alice", "Dora"});
    auto& boss = directory.mailbox("Boss", {"boss@contoso.com"});
    boss.limits.accept_from = {"Friends", "Bob"};
    boss.limits.reject_from = {"Dora"};
    to("boss@contoso.com");
    const std::pair<const char*, bool> table[] = {
        {"alice@contoso.com", true},
        {"bob@contoso.com", true},
        {"carl@contoso.com", false},
        {"dora@contoso.com", false},
        {"eve@example.org", false},
        {"", true},  // reports come from anywhere
    };

    for (const auto& [sender, is_accepted] : table) {
        INFO(sender);
        set_sender(sender);
        run();
        CHECK((result.recipients.front().state == RecipientState::ready) == is_accepted);
    }
}

TEST_CASE_METHOD(
    Company, "The postmaster is kept from nobody by restrictions", "[route][restrict]") {
    auto& postmaster = directory.mailbox("Postmaster", {"postmaster@contoso.com"});
    postmaster.limits.require_authenticated_sender = true;
    postmaster.limits.max_receive_size = 10;
    request.size = 1000;
    to("postmaster");
    to("abuse@contoso.com");

    run();

    CHECK(rows() == Rows{"Postmaster postmaster@contoso.com"});
}

TEST_CASE_METHOD(
    Company, "Our own reports are held back by no restriction and no size", "[route][restrict]") {
    auto& boss = directory.mailbox("Boss", {"boss@contoso.com"});
    boss.limits.require_authenticated_sender = true;
    boss.limits.accept_from = {"Alice"};
    boss.limits.max_receive_size = 1;
    request.size = 1000;
    set_sender("");
    request.sender.is_own_report = true;
    to("boss@contoso.com");

    run();

    CHECK(rows() == Rows{"Boss boss@contoso.com"});
}

TEST_CASE_METHOD(
    Company,
    "Fact 19: among ourselves a recipient's limit stands in place of the organization's, mail that "
    "leaves is held to max_receive_size",
    "[route][restrict]") {
    parts.transport.max_receive_size = 1000;
    directory.mailbox("Large", {"large@contoso.com"}).limits.max_receive_size = 5000;
    directory.mailbox("Small", {"small@contoso.com"}).limits.max_receive_size = 100;
    log_in("Alice");
    request.size = 2000;
    for (const auto* name :
         {"large@contoso.com", "small@contoso.com", "bob@contoso.com", "x@example.net"}) {
        to(name);
    }

    run();

    CHECK(
        rows() == Rows{
                      "Large large@contoso.com",
                      "! small@contoso.com 5.2.3",
                      "! bob@contoso.com 5.2.3",
                      "! x@example.net 5.3.4"});
    CHECK_FALSE(result.refusal);
}

TEST_CASE_METHOD(
    Company,
    "When nobody may have it for its size, that can be said at once",
    "[route][restrict]") {
    directory.mailbox("Small", {"small@contoso.com"}).limits.max_receive_size = 100;
    request.size = 2000;
    to("small@contoso.com");

    run();

    CHECK(result.refusal.value().status == EnhancedStatus{5, 2, 3});
}

TEST_CASE_METHOD(
    Company,
    "Fact 9: over the organization's number of recipients all fail with 5.5.3, a group counts one",
    "[route][restrict]") {
    parts.transport.max_recipient_envelope_limit = 2;
    directory.group("Staff", {"staff@contoso.com"}, {"Alice", "Bob", "Carl"});
    to("staff@contoso.com");
    to("dora@contoso.com");
    run();
    CHECK(result.recipients.size() == 4);
    to("x@example.net");

    run();

    CHECK(
        rows() ==
        Rows{"! staff@contoso.com 5.5.3", "! dora@contoso.com 5.5.3", "! x@example.net 5.5.3"});
    CHECK(result.refusal.value().status == EnhancedStatus{5, 5, 3});
}

TEST_CASE_METHOD(
    Company,
    "A mailbox's own number of recipients comes before the organization's",
    "[route][restrict]") {
    parts.transport.max_recipient_envelope_limit = 2;
    directory.mailbox("Mass", {"mass@contoso.com"}).limits.max_recipients = 3;
    log_in("Mass");
    for (const auto* name : {"alice@contoso.com", "bob@contoso.com", "carl@contoso.com"}) {
        to(name);
    }

    run();

    CHECK(rows().size() == 3);
    CHECK_FALSE(result.refusal);
}

// ---- expand

TEST_CASE_METHOD(
    Company, "Nested groups in a circle give each member one copy", "[route][expand]") {
    directory.group("Inner", {"inner@contoso.com"}, {"Bob", "Outer", "Dora"});
    directory.group("Outer", {"outer@contoso.com"}, {"Alice", "Bob", "Inner", "Outer"});
    to("outer@contoso.com");
    to("alice@contoso.com");
    to("inner@contoso.com");

    run();

    CHECK(rows() == Rows{"Alice alice@contoso.com", "Bob bob@contoso.com", "dora@example.net"});
    // Alice is named herself, the others through the group.
    CHECK(row("alice@contoso.com").original == "alice@contoso.com");
    CHECK(row("bob@contoso.com").original == "outer@contoso.com");
    CHECK(events(TrackingEventId::expand).size() == 2);
}

TEST_CASE_METHOD(Company, "A group of many pages is expanded whole", "[route][expand]") {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < 3 * kMembersPage; ++i) {
        names.push_back("member" + std::to_string(100'000 + i));
        directory.mailbox(names.back(), {names.back() + "@contoso.com"});
    }
    directory.group("All", {"all@contoso.com"}, names);
    to("all@contoso.com");

    run();

    CHECK(result.recipients.size() == names.size());
    CHECK(result.recipients.back().mailbox == names.back());
}

TEST_CASE_METHOD(Company, "Groups too deep in groups fail, and only they", "[route][expand]") {
    for (std::uint32_t i = 0; i <= kMaxGroupDepth; ++i) {
        const auto name = "g" + std::to_string(i);
        directory.group(
            name, {name + "@contoso.com"}, {"g" + std::to_string(i + 1), i == 0 ? "Alice" : "Bob"});
    }
    to("g0@contoso.com");

    run();

    CHECK(
        rows() ==
        Rows{"Alice alice@contoso.com", "Bob bob@contoso.com", "! g20@contoso.com 5.4.6"});
}

TEST_CASE_METHOD(
    Company,
    "The reports a group asks for change what its members are sent with",
    "[route][expand]") {
    auto& owned = directory.group("Owned", {"owned@contoso.com"}, {"Alice", "Dora"});
    owned.group.owners = {"Carl"};
    owned.group.report_to_owner = true;
    owned.group.report_to_originator = false;
    auto& silent = directory.group("Silent", {"silent@contoso.com"}, {"Bob"});
    silent.group.report_to_originator = false;
    to("owned@contoso.com", kSuccess | kFailure);
    to("silent@contoso.com", kSuccess | kFailure);

    run();

    CHECK(rows().size() == 3);
    CHECK(sender_of("alice@contoso.com") == "carl@contoso.com");
    CHECK(report_to_of("dora@example.net") == "carl@contoso.com");
    CHECK(row("alice@contoso.com").dsn.notify == kFailure);
    CHECK(row("bob@contoso.com").dsn.notify == kNever);
}

TEST_CASE_METHOD(
    Company, "A group whose success is asked for is reported as expanded", "[route][expand]") {
    directory.group("Staff", {"staff@contoso.com"}, {"Alice", "Bob"});
    to("staff@contoso.com", kSuccess | kFailure);

    run();

    CHECK(rows() == Rows{"+ staff@contoso.com", "Alice alice@contoso.com", "Bob bob@contoso.com"});
    CHECK(result.recipients.front().last->action == DeliveryAction::expanded);
    CHECK_FALSE(result.recipients.front().reported);
    CHECK(row("alice@contoso.com").dsn.notify == kFailure);
}

TEST_CASE_METHOD(
    Company, "What a group is answered is dropped, or goes to its owner", "[route][expand]") {
    auto& group = directory.group("Staff", {"staff@contoso.com"}, {"Alice"});
    group.group.owners = {"Carl"};
    to("staff@contoso.com");
    set_sender("");

    request.auto_submitted = AutoSubmitted::replied;
    run();
    CHECK(result.recipients.empty());
    CHECK(result.is_over());
    CHECK(events(TrackingEventId::remove).size() == 1);

    group.group.send_oof_to_originator = true;
    run();
    CHECK(rows() == Rows{"Alice alice@contoso.com"});

    request.auto_submitted = AutoSubmitted::generated;
    run();
    CHECK(result.recipients.empty());

    group.group.report_to_owner = true;
    run();
    CHECK(rows() == Rows{"Carl carl@contoso.com"});
}

// ---- forwarding

TEST_CASE_METHOD(
    Company, "A forwarding recipient beats an address, and a copy may stay", "[route][forward]") {
    auto& alice = directory.mailbox("Alice", {"alice@contoso.com"});
    alice.forwarding.recipient = "Bob";
    alice.forwarding.address = EmailAddress::parse("else@example.net").value();
    to("alice@contoso.com");
    run();
    CHECK(rows() == Rows{"Bob bob@contoso.com"});
    CHECK(row("bob@contoso.com").dsn.original_recipient == "rfc822;alice@contoso.com");

    alice.forwarding.recipient.clear();
    alice.forwarding.deliver_and_forward = true;
    run();

    CHECK(rows() == Rows{"Alice alice@contoso.com", "else@example.net"});
    CHECK(events(TrackingEventId::redirect).size() == 1);
}

TEST_CASE_METHOD(
    Company,
    "Mailboxes that only forward to each other fail, those that keep copies do not",
    "[route][forward]") {
    auto& alice = directory.mailbox("Alice", {"alice@contoso.com"});
    auto& bob = directory.mailbox("Bob", {"bob@contoso.com"});
    alice.forwarding.recipient = "Bob";
    bob.forwarding.recipient = "Alice";
    to("alice@contoso.com");
    to("bob@contoso.com");
    run();
    CHECK(rows() == Rows{"! alice@contoso.com 5.4.6", "! bob@contoso.com 5.4.6"});

    alice.forwarding.deliver_and_forward = true;
    bob.forwarding.deliver_and_forward = true;
    run();

    CHECK(rows() == Rows{"Alice alice@contoso.com", "Bob bob@contoso.com"});
}

TEST_CASE_METHOD(Company, "A chain of forwardings has an end", "[route][forward]") {
    for (std::size_t i = 0; i <= kMaxForwardings + 1; ++i) {
        const auto name = "m" + std::to_string(i);
        directory.mailbox(name, {name + "@contoso.com"}).forwarding.recipient =
            "m" + std::to_string(i + 1);
    }
    to("m0@contoso.com");

    run();

    CHECK(rows() == Rows{"! m20@contoso.com 5.4.6"});
}

TEST_CASE_METHOD(
    Company, "Forwarded mail leaves under an address that leads back", "[route][forward]") {
    auto& alice = directory.mailbox("Alice", {"alice@contoso.com"});
    alice.forwarding.address = EmailAddress::parse("else@example.net").value();
    to("alice@contoso.com");

    run();
    CHECK(sender_of("else@example.net").starts_with("SRS0="));
    CHECK(sender_of("else@example.net").ends_with("=example.org=eve@contoso.com"));
    CHECK(report_to_of("else@example.net") == "eve@example.org");

    parts.transport.forwarded_sender = ForwardedSender::mailbox;
    run();
    CHECK(sender_of("else@example.net") == "alice@contoso.com");
    CHECK(report_to_of("else@example.net") == "alice@contoso.com");

    parts.transport.forwarded_sender = ForwardedSender::keep;
    run();
    CHECK(row("else@example.net").variant == 0);

    parts.transport.forwarded_sender = ForwardedSender::srs;
    set_sender("");
    run();
    CHECK(row("else@example.net").variant == 0);

    set_sender("bob@contoso.com");
    run();
    CHECK(row("else@example.net").variant == 0);
}

TEST_CASE_METHOD(
    Company,
    "Remote domains are sent no automatic replies and nothing forwarded when they say so",
    "[route][remote]") {
    auto& alice = directory.mailbox("Alice", {"alice@contoso.com"});
    alice.forwarding.address = EmailAddress::parse("else@example.net").value();
    alice.forwarding.deliver_and_forward = true;
    parts.remote_domains.push_back(
        {.name = "net",
         .domain = DomainName::parse("example.net").value(),
         .auto_reply_enabled = false,
         .auto_forward_enabled = false});
    to("alice@contoso.com");
    to("x@example.net");
    to("x@example.com");
    run();
    CHECK(rows() == Rows{"x@example.net", "x@example.com", "Alice alice@contoso.com"});
    CHECK(events(TrackingEventId::remove).size() == 1);

    request.auto_submitted = AutoSubmitted::replied;
    run();

    CHECK(rows() == Rows{"x@example.com", "Alice alice@contoso.com"});
    CHECK(events(TrackingEventId::remove).size() == 2);
}

TEST_CASE_METHOD(Company, "Every message is copied to the journal, once", "[route][expand]") {
    parts.transport.always_bcc = EmailAddress::parse("bob@contoso.com").value();
    to("alice@contoso.com");
    run();
    CHECK(rows() == Rows{"Alice alice@contoso.com", "Bob bob@contoso.com"});
    CHECK(row("bob@contoso.com").dsn.notify == kNever);

    to("bob@contoso.com");
    run();
    CHECK(rows() == Rows{"Alice alice@contoso.com", "Bob bob@contoso.com"});
    CHECK(row("bob@contoso.com").dsn.notify == 0);

    request.recipients.pop_back();
    request.sender.is_own_report = true;
    run();
    CHECK(rows() == Rows{"Alice alice@contoso.com"});
}

// ---- rewrite

TEST_CASE_METHOD(
    Company,
    "What leaves carries the sender's primary address, what stays does not",
    "[route][rewrite]") {
    log_in("Alice");
    set_sender("al@contoso.com");
    to("bob@contoso.com");
    to("x@example.net");
    run();
    CHECK(sender_of("x@example.net") == "alice@contoso.com");
    CHECK(sender_of("bob@contoso.com") == "al@contoso.com");
    CHECK(events(TrackingEventId::rewrite) == Rows{"al@contoso.com | MAIL FROM"});

    request.sender.is_authenticated = false;
    run();
    CHECK(row("x@example.net").variant == 0);

    request.sender.is_authenticated = true;
    parts.transport.rewrite_sender_to_primary = false;
    run();
    CHECK(row("x@example.net").variant == 0);
}

TEST_CASE_METHOD(
    Company,
    "Entries map what comes in and what leaves, and take each other back",
    "[route][rewrite]") {
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
         .rewrite_recipient_fields = false});
    to("alice@brand.example");
    run();
    CHECK(rows() == Rows{"Alice alice@contoso.com"});
    CHECK(row("alice@contoso.com").dsn.original_recipient == "rfc822;alice@brand.example");
    CHECK(events(TrackingEventId::rewrite).size() == 1);

    request.recipients.clear();
    log_in("Alice");
    to("x@example.net");
    run();

    CHECK(sender_of("x@example.net") == "alice@brand.example");
}

TEST_CASE_METHOD(Company, "A mailbox says where its mail is put", "[route][place]") {
    auto& alice = directory.mailbox("Alice", {"alice@contoso.com"});
    alice.target = {DeliveryTarget::Kind::maildir, "/srv/%d/%u/%m%%"};
    alice.alias = "a/../b";
    auto& bob = directory.mailbox("Bob", {"bob@contoso.com"});
    bob.target = {DeliveryTarget::Kind::lmtp, "unix:/run/lmtp"};
    to("alice@contoso.com");
    to("bob@contoso.com");
    to("carl@contoso.com");

    run();

    CHECK(row("alice@contoso.com").place.place == "/srv/contoso.com/alice/a_.._b%");
    CHECK(row("bob@contoso.com").place == bob.target);
    CHECK(row("carl@contoso.com").place == DeliveryTarget{});
}

TEST_CASE("Programs are told from people by RFC 3834", "[route][auto]") {
    const auto sender = ReversePath(EmailAddress::parse("a@example.org").value());
    CHECK(auto_submitted("", "", sender) == AutoSubmitted::no);
    CHECK(auto_submitted(" no", "", sender) == AutoSubmitted::no);
    CHECK(auto_submitted(" auto-replied (vacation)", "", sender) == AutoSubmitted::replied);
    CHECK(auto_submitted("Auto-Generated; x=y", "", sender) == AutoSubmitted::generated);
    CHECK(auto_submitted("", "text/plain", ReversePath()) == AutoSubmitted::replied);
    CHECK(
        auto_submitted("auto-replied", " multipart/report; x=y", ReversePath()) ==
        AutoSubmitted::generated);
}

}  // namespace mailflow
