// Fuzz target: what becomes of an incoming header. In whatever pieces it comes, the edits are in
// order and within the header; a header once decided on needs nothing more; its body is never
// touched. The address-list scanner finds the bare addresses it completed.
#include "transport/mail/address_list.hpp"
#include "transport/mail/submission_policy.hpp"

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

HeaderContext context_of(std::uint8_t choice) {
    HeaderContext context;
    context.names = {"mx.b", "b"};
    context.accept_organization_headers = (choice & 1U) != 0;
    context.accept_routing_headers = (choice & 2U) != 0;
    if ((choice & 4U) != 0) {
        auto& submission = context.submission.emplace();
        submission.default_domain = "b";
        submission.message_id = "<1@b>";
        submission.sender_policy = (choice & 8U) != 0 ? SenderPolicy::fix : SenderPolicy::ignore;
        submission.account = EmailAddress::parse("a@b").value();
        submission.from_is_granted = (choice & 16U) != 0;
    }
    return context;
}

struct Decided {
    std::string text;
    Content content;
    bool refused = false;  // for its size
    bool had_from = false;
};

Decided decide(const HeaderContext& context, std::string_view text, std::size_t piece) {
    Decided decided;
    HeaderScanner scanner({}, wishes_for(context));
    for (std::size_t at = 0; at < text.size(); at += piece) {
        scanner.feed(text.substr(at, piece));
    }
    auto& content = decided.content;
    content.facts = scanner.finish();
    decided.had_from = content.facts.has_from;
    content.body.length = text.size();
    const auto header = scanner.take_header();
    decided.refused = scanner.header_too_large() || scanner.too_many_fields();
    if (context.submission) {
        require(
            claimed_senders(header, *context.submission).addresses.size() <= kMaxClaimedSenders);
    }
    decide_header(header, context).apply_to(content);
    decided.text = text;
    std::for_each(content.edits.rbegin(), content.edits.rend(), [&decided](const auto& edit) {
        decided.text.replace(edit.offset, edit.length, edit.text);
    });
    decided.text.insert(0, content.prefix);
    return decided;
}

void check_policy(const HeaderContext& context, std::string_view text) {
    const auto once = decide(context, text, std::max<std::size_t>(1, text.size()));
    if (once.refused) {
        return;
    }
    require(once.text == decide(context, text, 1).text);
    std::uint64_t end = 0;
    for (const auto& edit : once.content.edits) {
        require(edit.offset >= end);
        end = edit.offset + edit.length;
    }
    const auto header_size = once.content.facts.header_size;
    require(end <= header_size);
    require(std::string_view(once.text).ends_with(text.substr(header_size)));
    require(once.content.size() == once.text.size());

    auto next = context;
    if (next.submission && !once.had_from) {
        next.submission->from_is_granted = true;  // it is what we wrote
    }
    const auto again = decide(next, once.text, 1'000);
    const bool is_limited = once.content.edits.size() >= kMaxCompletedAddresses;
    require(again.refused || is_limited || again.text == once.text);
}

void check_addresses(std::string_view text) {
    const auto list = scan_addresses(text, 100);
    std::string completed(text);
    std::for_each(list.mailboxes.rbegin(), list.mailboxes.rend(), [&](const auto& mailbox) {
        require(mailbox.local_end <= text.size());
        if (mailbox.bare) {
            completed.insert(mailbox.local_end, "@b");
        }
    });
    const auto whole = scan_addresses(completed, 100);
    require(whole.mailboxes.size() == list.mailboxes.size() && whole.is_whole == list.is_whole);
    for (std::size_t i = 0; i < whole.mailboxes.size(); ++i) {
        const auto& before = list.mailboxes[i];
        require(!whole.mailboxes[i].bare);
        require(whole.mailboxes[i].address == before.address + (before.bare ? "@b" : ""));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_policy(context_of(data[0]), text);
    check_addresses(text);
    return 0;
}
