// Explain = reality: the same envelope is explained and sent through a receive session, and what
// was foretold is what happened, reply by reply and recipient by recipient.
#include "tests/server/explain/generated_case.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/ports/content_reader.hpp"
#include "transport/route/categorizer.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace mailflow;

namespace {

constexpr std::uint64_t kOrganizations = 150;
constexpr int kEnvelopes = 20;

// What happened, or is foretold: replies first (`+`: accepted), then the rows of the queue.
using Story = std::vector<std::string>;

// The lines that say who wrote it, in any order.
using Authors = std::vector<std::string>;

bool names_author(std::string_view line) {
    return line.starts_with("From:") || line.starts_with("Sender:");
}

std::string line_of(
    const QueuedRecipient& row, const std::string& from, Authors authors, const std::string& hop) {
    std::sort(authors.begin(), authors.end());
    std::string by;
    for (const auto& author : authors)
        by += " [" + author + "]";
    const auto last = row.last ? row.last->status.text() : std::string();
    return row.original + " | " + row.address.text() + " | " + row.mailbox + " | " +
           (row.target == RecipientTarget::mailbox ? to_text(row.place) : "remote") + " | state " +
           std::to_string(static_cast<int>(row.state)) + " " + last + " | from " + from + by +
           " | " + hop;
}

// ---- what is foretold

std::string refusal_at(
    const Explanation& told,
    const std::string& stage,
    const std::string& subject,
    std::size_t& next) {
    std::string reply = "+";
    while (next < told.checks.size() && told.checks[next].stage == stage &&
           told.checks[next].subject == subject) {
        const auto& check = told.checks[next++];
        if (check.refusal) {
            return check.refusal->one_line();
        }
    }
    return reply;
}

std::string hop_of(const Explanation::Recipient& recipient) {
    if (is_final(recipient.queued.state)) return "";
    return recipient.hop ? recipient.hop->key() : "fails";
}

// As somebody wrote it, but for what is said to change.
Authors authors_of(const Explanation::Recipient& recipient, const std::string& header) {
    Authors authors;
    for (const auto& field : HeaderBlock(header)) {
        if (names_author(field.raw))
            authors.emplace_back(field.raw.substr(0, field.raw.size() - 2));
    }
    for (const auto& change : recipient.header) {
        const auto old = std::find(authors.begin(), authors.end(), change.before);
        if (old != authors.end()) authors.erase(old);
        if (names_author(change.after)) authors.push_back(change.after);
    }
    return authors;
}

Story foretold(const Explanation& told, const ExplainRequest& request, const std::string& header) {
    Story story;
    if (told.connector.empty()) {
        return {told.checks.at(0).refusal->one_line()};
    }
    std::size_t next = 1;  // behind the connection
    story.push_back(refusal_at(told, "MAIL", "<" + request.from.text() + ">", next));
    if (story.back() != "+") {
        return story;
    }
    bool somebody = false;
    for (const auto& path : request.to) {
        // Given twice, its checks follow each other: as many as a refusal or an acceptance needs.
        const auto subject = "<" + path.text() + ">";
        std::string reply = "+";
        bool has_number = false;
        while (next < told.checks.size() && told.checks[next].subject == subject) {
            const auto& check = told.checks[next];
            if (check.name == "number" && std::exchange(has_number, true)) break;
            ++next;
            if (check.refusal) {
                reply = check.refusal->one_line();
                break;
            }
        }
        somebody = somebody || reply == "+";
        story.push_back(std::move(reply));
    }
    if (!somebody) {
        return story;
    }
    story.push_back(refusal_at(told, "end of data", "", next));
    const bool over =
        std::all_of(told.recipients.begin(), told.recipients.end(), [](const auto& recipient) {
            return is_final(recipient.queued.state) && recipient.queued.reported;
        });
    Story rows;
    for (const auto& recipient : told.recipients) {
        if (over) break;
        rows.push_back(line_of(
            recipient.queued,
            recipient.reverse_path.text(),
            authors_of(recipient, header),
            hop_of(recipient)));
    }
    std::sort(rows.begin(), rows.end());
    story.insert(story.end(), rows.begin(), rows.end());
    return story;
}

// ---- what happens

std::string content_of(const ExplainRequest& request) {
    std::string text;
    bool has_from = request.from.is_null();
    for (const auto& field : request.fields) {
        text += field + "\r\n";
        has_from = has_from || field.starts_with("From:");
    }
    if (!has_from) text += "From: <" + request.from.text() + ">\r\n";
    text += "\r\n";
    while (request.size && text.size() < *request.size) {
        auto length = std::min<std::size_t>(*request.size - text.size(), 72);
        if (*request.size - text.size() - length == 1) --length;
        text += std::string(length - 2, 'x') + "\r\n";
    }
    return text;
}

class Client {
  public:
    Client(ReceiveFixture& fixture, const IpAddress& address)
        : fixture_(fixture)
        , peer_(fixture.connect(address.text()))
        , greeting(one_line(peer_.received())) {}

    std::string say(const std::string& bytes) {
        peer_.send(bytes);
        fixture_.test.poll();
        return one_line(peer_.received());
    }

    // `+` for what is accepted.
    std::string ask(const std::string& bytes) {
        auto reply = say(bytes);
        return reply.starts_with("2") ? "+" : reply;
    }

  private:
    static std::string one_line(std::string text) {
        while (text.ends_with('\n') || text.ends_with('\r'))
            text.pop_back();
        return text;
    }

    ReceiveFixture& fixture_;
    MemoryPeer peer_;

  public:
    std::string greeting;
};

Authors authors_of(
    ReceiveFixture& fixture, const QueuedMessage& message, const QueuedRecipient& row) {
    const auto reader = make_content_reader(message, row, make_memory_reader(message.body));
    std::string text;
    for (;;) {
        const auto piece = fixture.test.run(reader->next());
        if (piece.value().empty()) break;
        text += *piece;
    }
    Authors authors;
    for (const auto& field : HeaderBlock(text)) {
        if (names_author(field.raw)) {
            auto line = std::string(field.raw);
            std::erase_if(line, [](char c) { return c == '\r' || c == '\n'; });
            authors.push_back(std::move(line));
        }
    }
    return authors;
}

void add_rows(ReceiveFixture& fixture, const QueuedMessage& message, Story& rows) {
    const auto& organization = *fixture.lane.organization;
    std::vector<std::uint32_t> live;
    for (const auto& row : message.recipients) {
        if (!is_final(row.state)) live.push_back(row.number);
    }
    const auto routed = route_message(message, live, organization);
    for (const auto& row : message.recipients) {
        std::string hop = is_final(row.state) ? "" : "fails";
        for (const auto& group : routed.groups) {
            const auto& numbers = group.recipients;
            if (std::find(numbers.begin(), numbers.end(), row.number) != numbers.end()) {
                hop = group.hop.key();
            }
        }
        rows.push_back(line_of(
            row, message.reverse_path_of(row).text(), authors_of(fixture, message, row), hop));
    }
}

Story happened(ReceiveFixture& fixture, const ExplainRequest& request) {
    Client client(fixture, request.client);
    if (!client.greeting.starts_with("220")) {
        return {client.greeting};
    }
    client.say("EHLO client.example\r\n");
    if (!request.account.empty()) {
        const auto reply = client.say("XCLIENT LOGIN=" + request.account + "\r\n");
        REQUIRE(reply.starts_with("220"));
        client.say("EHLO client.example\r\n");
    }
    const auto size = request.size ? " SIZE=" + std::to_string(*request.size) : std::string();
    Story story{client.ask("MAIL FROM:<" + request.from.text() + ">" + size + "\r\n")};
    if (story.back() != "+") {
        client.say("QUIT\r\n");
        return story;
    }
    bool somebody = false;
    for (const auto& path : request.to) {
        story.push_back(client.ask("RCPT TO:<" + path.text() + ">\r\n"));
        somebody = somebody || story.back() == "+";
    }
    if (somebody) {
        fixture.announced.clear();
        REQUIRE(client.say("DATA\r\n").starts_with("354"));
        story.push_back(client.ask(content_of(request) + ".\r\n"));
        Story rows;
        for (const auto& message : fixture.announced)
            add_rows(fixture, *message, rows);
        std::sort(rows.begin(), rows.end());
        story.insert(story.end(), rows.begin(), rows.end());
    }
    client.say("QUIT\r\n");
    return story;
}

std::string text_of(const ExplainRequest& request) {
    auto text = request.client.text() + " as \"" + request.account + "\" from <" +
                request.from.text() + "> to";
    for (const auto& path : request.to)
        text += " <" + path.text() + ">";
    for (const auto& field : request.fields)
        text += " [" + field + "]";
    return text + (request.size ? " size " + std::to_string(*request.size) : "");
}

}  // namespace

TEST_CASE("explain says what happens, for thousands of generated cases", "[explain]") {
    std::size_t refused = 0;
    std::size_t stored = 0;
    for (std::uint64_t seed = 1; seed <= kOrganizations; ++seed) {
        Draw draw(seed);
        ReceiveFixture fixture;
        fill_organization(fixture, draw);
        fixture.apply();
        for (int i = 0; i < kEnvelopes; ++i) {
            const auto request = draw_request(draw);
            const auto& organization = fixture.lane.organization;

            std::string why;
            const ExplainParts parts{
                fixture.test.lane,
                fixture.directory,
                nullptr,
                organization,
                fixture.lane.address_tools(organization),
                {}};
            auto told = fixture.test.run(explain(parts, request, &why));
            const auto real = happened(fixture, request);

            INFO("organization " << seed << ", " << text_of(request));
            REQUIRE(told.has_value());
            CHECK(foretold(*told, request, content_of(request)) == real);
            (told->is_accepted() ? stored : refused) += 1;
        }
    }
    CHECK(refused > 300);
    CHECK(stored > 300);
}

TEST_CASE("explain changes nothing", "[explain]") {
    Draw draw(7);
    ReceiveFixture fixture;
    fill_organization(fixture, draw);
    fixture.apply();
    const auto& organization = fixture.lane.organization;

    for (int i = 0; i < 50; ++i) {
        std::string why;
        const ExplainParts parts{
            fixture.test.lane,
            fixture.directory,
            nullptr,
            organization,
            fixture.lane.address_tools(organization),
            {}};
        static_cast<void>(fixture.test.run(explain(parts, draw_request(draw), &why)));
    }

    CHECK(fixture.memory.messages().empty());
    CHECK(fixture.announced.empty());
    CHECK(fixture.tracking.events().empty());
    CHECK(fixture.server.live() == fixture.server.listeners().size());
}
