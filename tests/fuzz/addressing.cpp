// Fuzz target: templates, filters and rewritten headers. The first octet chooses. A template has
// one text and makes addresses that are addresses; a filter answers; a header keeps every octet
// that stands outside of rewritten addresses, and needs nothing more once it is rewritten.
#include "transport/addressing/address_template.hpp"
#include "transport/addressing/header_rewriter.hpp"
#include "transport/addressing/list_filter.hpp"
#include "transport/addressing/recipient_filter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace mailflow;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

MailRecipient recipient_of(std::string_view text) {
    MailRecipient recipient;
    recipient.name = "David Pelton";
    recipient.alias = "d.p";
    recipient.first_name = text;
    recipient.last_name = "Pelton";
    recipient.display_name = text;
    recipient.addresses = {EmailAddress::parse("d.p@b.c").value()};
    recipient.upn = "d.p@b.c";
    recipient.attributes["department"] = "Sales";
    return recipient;
}

void check_template(std::string_view text, const MailRecipient& recipient) {
    std::string why;
    const auto parsed = AddressTemplate::parse(text, &why);
    require(parsed.has_value() == why.empty());
    if (!parsed) {
        return;
    }
    const auto again = AddressTemplate::parse(parsed->text(), nullptr);
    require(again.has_value() && again->text() == parsed->text());
    const auto address = parsed->expand(recipient);
    require(again->expand(recipient) == address);
    require(!address.needs_smtputf8() && !address.text().starts_with('"'));
    require(EmailAddress::parse(address.text()).value() == address);
    require(EmailAddress::parse(numbered(address, 77).text()).has_value());
}

template <typename Filter>
void check_filter(std::string_view text, const MailRecipient& recipient) {
    std::string why;
    const auto filter = Filter::parse(text, &why);
    require(filter.has_value() == why.empty());
    if (!filter) {
        return;
    }
    // Parentheses add a level, which may be one too many.
    const auto negated = Filter::parse("-not (" + std::string(text) + ")", nullptr);
    require(!negated || negated->matches(recipient) != filter->matches(recipient));
}

std::string apply_edits(const std::vector<HeaderEdit>& edits, std::string text) {
    std::uint64_t end = 0;
    for (const auto& edit : edits) {
        require(edit.offset >= end && edit.offset + edit.length <= text.size());
        end = edit.offset + edit.length;
    }
    std::for_each(edits.rbegin(), edits.rend(), [&text](const auto& edit) {
        text.replace(edit.offset, edit.length, edit.text);
    });
    return text;
}

struct Scanned {
    ScannedHeader header;
    std::uint64_t size = 0;
    bool refused = false;
};

Scanned scan(std::string_view text) {
    const auto kinds = rewritable_fields(true);
    HeaderScanner scanner({}, {kinds, kinds, {}});
    scanner.feed(text);
    Scanned scanned;
    scanned.size = scanner.finish().header_size;
    scanned.header = scanner.take_header();
    scanned.refused = scanner.header_too_large() || scanner.too_many_fields();
    return scanned;
}

void check_header(std::string_view text) {
    const auto scanned = scan(text);
    if (scanned.refused) {
        return;
    }
    const auto to_z = [](const EmailAddress& from) -> std::optional<EmailAddress> {
        if (from.domain_text() == "z.example") {
            return std::nullopt;
        }
        return EmailAddress::of("zzz", DomainName::parse("z.example").value());
    };
    const auto none =
        rewrite_header(scanned.header, {}, [](const EmailAddress& from) { return from; }, {});
    require(none.edits.empty() && none.changes.empty());

    const auto once = rewrite_header(scanned.header, {}, to_z, to_z);
    const auto after = apply_edits(once.edits, std::string(text));
    require(std::string_view(after).ends_with(text.substr(scanned.size)));
    for (const auto& edit : once.edits) {
        require(edit.offset + edit.length <= scanned.size);
        require(
            edit.text == "zzz" || edit.text == "z.example" || edit.text == "zzz@z.example" ||
            (edit.text == "\r\n " && edit.length == 0));
    }
    const auto rescanned = scan(after);
    require(rescanned.size == scanned.size + after.size() - text.size() || rescanned.refused);
    if (!rescanned.refused && once.changes.size() < kMaxRewrittenAddresses) {
        require(rewrite_header(rescanned.header, {}, to_z, to_z).changes.empty());
    }
    const auto fields = text.substr(0, scanned.size);
    (void)rewrite_fields(fields, true, to_z, to_z);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto half = text.size() / 2;
    switch (data[0] % 4) {
        case 0: check_template(text, recipient_of("David")); break;
        case 1:
            check_template(
                "%rab%d." + std::string(text.substr(0, half)) + "@b.c",
                recipient_of(text.substr(half)));
            break;
        case 2:
            check_filter<RecipientFilter>(text, recipient_of("David"));
            check_filter<ListFilter>(text, recipient_of("David"));
            break;
        default: check_header(text); break;
    }
    return 0;
}
