#include "transport/addressing/header_rewriter.hpp"

#include "transport/base/ascii.hpp"
#include "transport/mail/address_list.hpp"
#include "transport/mail/header_field.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mailflow {

namespace {

constexpr std::size_t kMaxLine = 998;  // RFC 5322 §2.1.1
constexpr FieldKinds kRecipientFields = bit(FieldKind::to) | bit(FieldKind::cc);

// Replaces a piece of a field.
struct Piece {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string text;
};

// How far a field has been written, and in which line of the new text that is.
class Line {
  public:
    explicit Line(std::string_view field) noexcept
        : field_(field) {}

    void copy_to(std::size_t end) noexcept {
        for (; copied_ < end; ++copied_) {
            const char c = field_[copied_];
            column_ = c == '\n' ? 0 : column_ + 1;
            has_text_ = c != '\n' && (has_text_ || (c != ' ' && c != '\t'));
        }
    }

    // `size` octets in the place of those up to `end`.
    void put(std::size_t size, std::size_t end) noexcept {
        column_ += size;
        has_text_ = true;
        copied_ = end;
    }

    void fold() noexcept { column_ = 1; }

    // So many octets more are too many for this line, and a fold helps.
    [[nodiscard]] bool overflows_by(std::size_t size) const noexcept {
        return has_text_ && column_ + size > kMaxLine;
    }

  private:
    std::string_view field_;
    std::size_t copied_ = 0;
    std::size_t column_ = 0;
    bool has_text_ = false;  // a fold here leaves no line of blanks only behind
};

std::string local_text(const EmailAddress& address) {
    auto text = address.text();
    text.resize(text.size() - address.domain_text().size() - 1);
    return text;
}

// Octets from `begin` to the end of the line, or to `limit`.
std::size_t rest_of_line(std::string_view field, std::size_t begin, std::size_t limit) noexcept {
    const auto rest = field.substr(begin, limit - begin);
    return std::min(rest.find_first_of("\r\n"), rest.size());
}

std::string with_pieces(std::string_view field, const std::vector<Piece>& pieces) {
    std::string text;
    std::size_t copied = 0;
    for (const auto& piece : pieces) {
        text += field.substr(copied, piece.begin - copied);
        text += piece.text;
        copied = piece.end;
    }
    text += field.substr(copied);
    return text;
}

class Rewriter {
  public:
    Rewriter(const AddressMap& senders, const AddressMap& recipients, bool smtputf8) noexcept
        : senders_(senders)
        , recipients_(recipients)
        , smtputf8_(smtputf8) {}

    // Empty: the field stays as it is.
    std::vector<Piece> rewrite(FieldKind kind, std::string_view field) {
        std::vector<Piece> pieces;
        const auto colon = field.find(':');
        const auto& map = (bit(kind) & kRecipientFields) != 0 ? recipients_ : senders_;
        if ((bit(kind) & rewritable_fields(true)) == 0 || !map || colon == std::string_view::npos) {
            return pieces;
        }
        const auto start = colon + 1;
        const auto list = scan_addresses(field.substr(start), room_, DisplayNames::any);
        room_ -= std::min(room_, list.mailboxes.size());
        Line line(field);
        for (auto mailbox = list.mailboxes.begin(); mailbox != list.mailboxes.end(); ++mailbox) {
            const auto change = change_of(*mailbox, map);
            if (!change) {
                continue;
            }
            const auto next = std::next(mailbox);
            const auto limit =
                next == list.mailboxes.end() ? field.size() : start + next->local_begin;
            put(*mailbox,
                start,
                *change,
                line,
                rest_of_line(field, start + mailbox->domain_end, limit),
                pieces);
            changes_.push_back(
                {std::string(ascii::trimmed(field.substr(0, colon))), change->from, change->to});
        }
        return pieces;
    }

    [[nodiscard]] std::vector<HeaderRewrite::Change> take_changes() noexcept {
        return std::move(changes_);
    }

  private:
    struct Change {
        EmailAddress from;
        EmailAddress to;
    };

    [[nodiscard]] std::optional<Change> change_of(
        const ScannedMailbox& mailbox, const AddressMap& map) const {
        auto from = EmailAddress::parse(mailbox.address);
        if (!from) {
            return std::nullopt;  // a bare local part is one too
        }
        auto to = map(*from);
        if (!to || *to == *from || (to->needs_smtputf8() && !smtputf8_)) {
            return std::nullopt;
        }
        return Change{std::move(*from), std::move(*to)};
    }

    // What stays the same of an address is not touched, nor is what stands between its parts.
    static void put(
        const ScannedMailbox& mailbox,
        std::size_t start,
        const Change& change,
        Line& line,
        std::size_t behind,
        std::vector<Piece>& pieces) {
        const auto begin = start + mailbox.local_begin;
        const auto local_end = start + mailbox.local_end;
        const auto domain_begin = start + mailbox.domain_begin;
        const auto domain_end = start + mailbox.domain_end;
        const bool new_local = change.to.local() != change.from.local();
        const bool new_domain = change.to.domain_text() != change.from.domain_text();
        const auto local = local_text(change.to);
        line.copy_to(begin);
        if (line.overflows_by(change.to.text().size() + behind)) {
            pieces.push_back({begin, begin, "\r\n "});
            line.fold();
        }
        if (new_local && new_domain && domain_begin == local_end + 1) {
            pieces.push_back({begin, domain_end, change.to.text()});
            line.put(change.to.text().size(), domain_end);
            return;
        }
        if (new_local) {
            pieces.push_back({begin, local_end, local});
            line.put(local.size(), local_end);
        }
        if (new_domain) {
            line.copy_to(domain_begin);
            pieces.push_back({domain_begin, domain_end, change.to.domain_text()});
            line.put(change.to.domain_text().size(), domain_end);
        }
    }

    const AddressMap& senders_;
    const AddressMap& recipients_;
    bool smtputf8_;
    std::size_t room_ = kMaxRewrittenAddresses;
    std::vector<HeaderRewrite::Change> changes_;
};

// What edits decided before make of a field.
struct EditedField {
    std::string text;
    bool is_edited = false;
    bool is_gone = false;
};

// `edit` changes octets of the field; an insertion in front of it does not.
bool touches(const HeaderEdit& edit, const ScannedField& field) noexcept {
    const auto end = field.offset + field.length;
    return edit.length == 0 ? edit.offset > field.offset && edit.offset < end
                            : edit.offset < end && edit.offset + edit.length > field.offset;
}

bool is_inside(const HeaderEdit& edit, const ScannedField& field) noexcept {
    return edit.offset >= field.offset && edit.offset + edit.length <= field.offset + field.length;
}

using Edits = std::vector<HeaderEdit>;

EditedField edited(const ScannedField& field, const Edits& edits) {
    EditedField result{field.text};
    auto edit = std::partition_point(edits.begin(), edits.end(), [&field](const auto& before) {
        return before.offset + before.length <= field.offset;
    });
    std::vector<Piece> pieces;
    for (; edit != edits.end() && edit->offset < field.offset + field.length; ++edit) {
        if (!touches(*edit, field)) {
            continue;
        }
        result.is_edited = true;
        result.is_gone = result.is_gone || !is_inside(*edit, field);
        if (!result.is_gone) {
            const auto begin = edit->offset - field.offset;
            pieces.push_back({begin, begin + edit->length, edit->text});
        }
    }
    if (result.is_edited && !result.is_gone) {
        result.text = with_pieces(field.text, pieces);
    }
    return result;
}

}  // namespace

FieldKinds rewritable_fields(bool recipients) noexcept {
    constexpr FieldKinds kSenderFields =
        bit(FieldKind::from) | bit(FieldKind::sender) | bit(FieldKind::reply_to) |
        bit(FieldKind::return_receipt_to) | bit(FieldKind::disposition_notification_to) |
        bit(FieldKind::resent_from) | bit(FieldKind::resent_sender);
    return kSenderFields | (recipients ? kRecipientFields : FieldKinds{0});
}

HeaderRewrite rewrite_header(
    const ScannedHeader& header,
    std::vector<HeaderEdit> before,
    const AddressMap& senders,
    const AddressMap& recipients) {
    Rewriter rewriter(senders, recipients, header.smtputf8);
    std::vector<HeaderEdit> added;
    std::vector<const ScannedField*> replaced;
    for (const auto& field : header.fields) {
        if (field.text.size() != field.length) {
            continue;  // its text was not wished for
        }
        const auto now = edited(field, before);
        if (now.is_gone) {
            continue;
        }
        auto pieces = rewriter.rewrite(field.kind, now.text);
        if (pieces.empty()) {
            continue;
        }
        if (now.is_edited) {
            // One edit with the same outcome takes the place of those that were decided.
            replaced.push_back(&field);
            added.push_back({field.offset, field.length, with_pieces(now.text, pieces)});
            continue;
        }
        for (auto& piece : pieces) {
            added.push_back(
                {field.offset + piece.begin, piece.end - piece.begin, std::move(piece.text)});
        }
    }
    std::erase_if(before, [&replaced](const HeaderEdit& edit) {
        return std::any_of(replaced.begin(), replaced.end(), [&edit](const ScannedField* field) {
            return touches(edit, *field);
        });
    });
    HeaderRewrite result{std::move(before), rewriter.take_changes()};
    std::move(added.begin(), added.end(), std::back_inserter(result.edits));
    std::stable_sort(result.edits.begin(), result.edits.end(), [](const auto& a, const auto& b) {
        return a.offset < b.offset;
    });
    return result;
}

FieldsRewrite rewrite_fields(
    std::string_view fields,
    bool smtputf8,
    const AddressMap& senders,
    const AddressMap& recipients) {
    Rewriter rewriter(senders, recipients, smtputf8);
    FieldsRewrite result;
    std::size_t copied = 0;
    for (const auto& field : HeaderBlock(fields)) {
        result.text += with_pieces(field.raw, rewriter.rewrite(field_kind(field.name), field.raw));
        copied += field.raw.size();
    }
    result.text += fields.substr(copied);
    result.changes = rewriter.take_changes();
    return result;
}

}  // namespace mailflow
