// A header scanned and decided on, and the text that comes of it: for tests of the policies.
#pragma once

#include "transport/mail/submission_policy.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace mailflow {

struct DecidedHeader {
    ScannedHeader scanned;
    HeaderDecision decision;
    Content content;   // as it would be stored, without the Received of this hop
    std::string text;  // as it would leave
};

inline std::string apply_edits(const Content& content, std::string text) {
    std::for_each(content.edits.rbegin(), content.edits.rend(), [&text](const auto& edit) {
        text.replace(edit.offset, edit.length, edit.text);
    });
    return content.prefix + text;
}

inline DecidedHeader decide(
    const HeaderContext& context, const std::string& text, std::size_t piece = 1'000'000) {
    DecidedHeader decided;
    HeaderScanner scanner({}, wishes_for(context));
    for (std::size_t at = 0; at < text.size(); at += piece) {
        scanner.feed(std::string_view(text).substr(at, piece));
    }
    decided.content.facts = scanner.finish();
    decided.content.body.length = text.size();
    decided.scanned = scanner.take_header();
    decided.decision = decide_header(decided.scanned, context);
    HeaderDecision(decided.decision).apply_to(decided.content);
    decided.text = apply_edits(decided.content, text);
    return decided;
}

}  // namespace mailflow
