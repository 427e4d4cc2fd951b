// A message on its way through the categorizer, against tables: what tests of its stages build on.
// contoso.com is ours, subsidiary.com an internal relay, hosted.com an external relay.
#pragma once

#include "tests/transport/route/organization_maker.hpp"
#include "tests/transport/route/table_directory.hpp"
#include "transport/route/categorization.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct CategorizerFixture {
    CategorizerFixture() {
        parts.node.fqdn = "mail.contoso.com";
        parts.accepted_domains = {
            make_accepted_domain("contoso.com"),
            make_accepted_domain("subsidiary.com", AcceptedDomainType::internal_relay),
            make_accepted_domain("hosted.com", AcceptedDomainType::external_relay)};
        parts.accepted_domains.front().is_default = true;
        set_sender("eve@example.org");
        request.now = UtcTime(std::chrono::hours(24 * 20'000));
    }

    // `<>` when empty.
    void set_sender(std::string_view address) {
        request.sender.path =
            address.empty() ? ReversePath() : ReversePath(EmailAddress::parse(address).value());
    }

    // Who logged in, and sends under its primary address.
    void log_in(std::string_view name) {
        request.sender.account = directory.find_by_name(name);
        request.sender.is_authenticated = true;
        request.sender.path = ReversePath(request.sender.account->primary());
    }

    void to(std::string_view address, std::uint8_t notify = 0) {
        const auto path = ForwardPath::parse("<" + std::string(address) + ">").value();
        request.recipients.push_back({path, {.notify = notify, .original_recipient = {}}, {}});
    }

    // A keyed hash that is none.
    static std::string mac(std::string_view text) {
        std::string sum(32, '\0');
        for (std::size_t i = 0; i < text.size(); ++i) {
            sum[i % 32] = static_cast<char>(sum[i % 32] * 31 + text[i] + static_cast<char>(i));
        }
        return sum;
    }

    const Categorized& run() {
        organization = std::make_shared<const Organization>(parts);
        tools.emplace(organization, Srs::Mac(&CategorizerFixture::mac));
        auto copy = request;
        copy.tools = &*tools;
        Categorization categorization(*organization, std::move(copy));
        while (!categorization.advance()) {
            directory.answer(categorization.facts());
        }
        result = categorization.take();
        return result;
    }

    // `Alice alice@contoso.com`, `carol@example.org`, `! bob@contoso.com 5.1.1`, in their order.
    [[nodiscard]] std::vector<std::string> rows() const {
        std::vector<std::string> texts;
        for (const auto& row : result.recipients) {
            std::string text;
            if (row.state == RecipientState::failed) {
                text = "! " + row.address.text() + ' ' + row.last->status.text();
            } else if (row.state == RecipientState::delivered) {
                text = "+ " + row.address.text();
            } else {
                text = (row.mailbox.empty() ? "" : row.mailbox + ' ') + row.address.text();
            }
            texts.push_back(std::move(text));
        }
        return texts;
    }

    [[nodiscard]] const QueuedRecipient& row(std::string_view address) const {
        const auto found = std::find_if(
            result.recipients.begin(), result.recipients.end(), [address](const auto& one) {
                return one.address.text() == address;
            });
        return *found;
    }

    // What MAIL FROM is for this row, and who gets the reports.
    [[nodiscard]] std::string sender_of(std::string_view address) const {
        const auto variant = row(address).variant;
        return variant == 0 ? request.sender.path.text()
                            : result.variants.at(variant - 1U).reverse_path.text();
    }

    [[nodiscard]] std::string report_to_of(std::string_view address) const {
        const auto variant = row(address).variant;
        return variant == 0 ? request.sender.path.text()
                            : result.variants.at(variant - 1U).report_to.text();
    }

    [[nodiscard]] std::vector<std::string> events(TrackingEventId id) const {
        std::vector<std::string> texts;
        for (const auto& note : result.notes) {
            if (note.event == id) {
                texts.push_back(note.before + " | " + note.reason);
            }
        }
        return texts;
    }

    Organization::Parts parts;
    TableDirectory directory;
    CategorizeRequest request;
    OrganizationPtr organization;
    std::optional<AddressTools> tools;
    Categorized result;
};

using Rows = std::vector<std::string>;

}  // namespace mailflow
