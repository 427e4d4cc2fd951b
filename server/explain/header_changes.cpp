#include "server/explain/header_changes.hpp"

#include <utility>

namespace mailflow {

namespace {

// The length of the first field with its continuation lines; of the empty line its own.
std::size_t field_length(std::string_view text) {
    std::size_t end = 0;
    do {
        const auto line = text.find('\n', end);
        end = line == std::string_view::npos ? text.size() : line + 1;
    } while (end < text.size() && (text[end] == ' ' || text[end] == '\t'));
    return end;
}

std::string unfolded(std::string_view field) {
    std::string text;
    for (const char c : field) {
        if (c != '\r' && c != '\n') {
            text += c;
        }
    }
    return text;
}

// `piece` begins at `offset` of the header; takes the edits that begin in it.
std::string edited(
    std::string_view piece,
    std::size_t offset,
    const std::vector<HeaderEdit>& edits,
    std::size_t& next) {
    std::string text;
    std::size_t done = 0;
    while (next < edits.size() && edits[next].offset < offset + piece.size()) {
        const auto& edit = edits[next++];
        const auto at = edit.offset - offset;
        if (at > done) {
            text += piece.substr(done, at - done);
        }
        text += edit.text;
        done = at + edit.length;
    }
    if (done < piece.size()) {
        text += piece.substr(done);
    }
    return text;
}

}  // namespace

std::vector<Explanation::FieldChange> header_changes(
    std::string_view header, std::string_view added, const std::vector<HeaderEdit>& edits) {
    std::vector<Explanation::FieldChange> changes;
    while (!added.empty()) {
        const auto length = field_length(added);
        changes.push_back({{}, unfolded(added.substr(0, length))});
        added.remove_prefix(length);
    }
    std::size_t next = 0;
    for (std::size_t offset = 0; offset < header.size();) {
        const auto field = header.substr(offset, field_length(header.substr(offset)));
        auto before = unfolded(field);
        auto after = unfolded(edited(field, offset, edits, next));
        if (before != after) {
            changes.push_back({std::move(before), std::move(after)});
        }
        offset += field.size();
    }
    return changes;
}

}  // namespace mailflow
