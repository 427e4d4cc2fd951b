// Properties of the flow from RCPT to the last report, in organizations drawn from seeds: what is
// decided is decided again the same way, and each recipient comes to one end, however it is
// expanded, copied, forwarded, split by next hop, refused, deferred and retried.
#include "tests/transport/queue/expected_rows.hpp"
#include "tests/transport/queue/queue_fixture.hpp"
#include "transport/queue/categorize.hpp"
#include "transport/route/categorizer.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace mailflow {

namespace {

constexpr std::uint64_t kOrganizations = 60;
constexpr int kEnvelopes = 10;
constexpr auto kNever = static_cast<std::uint8_t>(NotifyOn::never);
constexpr auto kSuccess = static_cast<std::uint8_t>(NotifyOn::success);
constexpr const char* kStranger = "sender@outside.example";

std::string mac_of(std::string_view text) {
    std::string mac(32, 'k');
    for (std::size_t i = 0; i < text.size(); ++i)
        mac[i % mac.size()] = static_cast<char>(mac[i % mac.size()] * 31 + text[i]);
    return mac;
}

std::string row_text(const QueuedRecipient& row) {
    if (row.state == RecipientState::failed) {
        return row.original + " > " + row.address.text() + ' ' + row.last->status.text();
    }
    return row.target == RecipientTarget::mailbox ? row.mailbox : row.address.text();
}

std::vector<std::string> sorted_rows(const std::vector<QueuedRecipient>& rows) {
    std::vector<std::string> texts;
    for (const auto& row : rows) {
        // A group that was named and whose success is asked for has a row for its report.
        if (row.state != RecipientState::delivered) texts.push_back(row_text(row));
    }
    std::sort(texts.begin(), texts.end());
    return texts;
}

// Everything that was decided, in its order.
std::string whole_text(const Categorized& found) {
    std::string text;
    for (const auto& row : found.recipients) {
        text += std::to_string(row.number) + ' ' + row.original + ' ' + row_text(row) + ' ' +
                to_text(row.place) + ' ' + std::to_string(row.variant) + ' ' +
                std::to_string(row.dsn.notify) + ' ' + row.dsn.original_recipient + '\n';
    }
    for (const auto& variant : found.variants)
        text += variant.reverse_path.text() + ' ' + variant.report_to.text() + '\n';
    return text + std::to_string(found.edits.size());
}

std::vector<std::uint32_t> live_numbers(const QueuedMessage& message) {
    std::vector<std::uint32_t> live;
    for (const auto& row : message.recipients) {
        if (!is_final(row.state)) live.push_back(row.number);
    }
    return live;
}

std::string whole_text(const RoutedMessage& routed) {
    std::string text;
    for (const auto& group : routed.groups) {
        text += group.hop.key();
        for (const auto number : group.recipients)
            text += ' ' + std::to_string(number);
        text += '\n';
    }
    for (const auto& [number, status] : routed.failures)
        text += std::to_string(number) + ' ' + status.status.text() + '\n';
    return text;
}

// An organization from a seed under a queue, and what happens to its mail.
class DrawnFlow : public QueueFixture {
  public:
    explicit DrawnFlow(std::uint64_t seed)
        : draw(seed)
        , seed_(seed) {
        organization.send_connectors.clear();
        drawn = draw_organization(organization, draw);
        auto& postmaster = drawn.recipients.emplace_back(drawn.recipients.front());
        postmaster = MailRecipient();
        postmaster.name = "Postmaster";
        postmaster.alias = "postmaster";
        postmaster.addresses = {EmailAddress::parse("postmaster@contoso.com").value()};
        drawn.copy_to(directory);
        organization.transport.dsn_rate_limit.reset();
        organization.transport.message_expiration_timeout = std::chrono::hours(2);
        snapshot = std::make_shared<const Organization>(organization);
        tools.emplace(snapshot, Srs::Mac(&mac_of));
        const auto script = [this](const DeliveryJob& job) {
            return answer(job);
        };
        mailbox.answer_with(script);
        smtp.answer_with(script);
    }

    [[nodiscard]] CategorizeRequest draw_request(std::uint64_t size) {
        CategorizeRequest request;
        request.size = size;
        request.tools = &*tools;
        request.now = lane.clock.now();
        if (draw.chance(50)) {
            request.sender.account = lane.run(directory.find_by_name(draw_mailbox(draw))).value();
            request.sender.is_authenticated = true;
            request.sender.path = ReversePath(request.sender.account->primary());
        } else if (draw.chance(80)) {
            const auto own = draw.chance(30);
            request.sender.path =
                ReversePath(EmailAddress::parse(own ? draw_address(draw) : kStranger).value());
        }
        const bool is_null = request.sender.path.is_null();
        request.auto_submitted = is_null && draw.chance(50)   ? AutoSubmitted::generated
                                 : is_null || draw.chance(10) ? AutoSubmitted::replied
                                                              : AutoSubmitted::no;
        for (std::size_t i = 1 + draw.below(6); i > 0; --i) {
            const ForwardPath path(EmailAddress::parse(draw_address(draw)).value());
            static const std::vector<std::uint8_t> kNotify = {0, 0, kNever, kSuccess, kSuccess | 4};
            request.recipients.push_back(
                {path, {.notify = draw.pick(kNotify), .original_recipient = {}}, {}});
        }
        return request;
    }

    [[nodiscard]] QueuedMessage draw_message() {
        auto message = make_message("", {});
        if (draw.chance(30)) message.content.prefix += "X-Long: " + std::string(12'000, 'x');
        return message;
    }

    [[nodiscard]] Categorized decide(const CategorizeRequest& request) {
        return lane.run(categorize(directory, snapshot, request)).value();
    }

    void accept(const Submission& submission) {
        REQUIRE(lane.run(store.commit(submission)));
        announce(submission.message);
        for (const auto& copy : submission.copies)
            announce(copy);
        lane.poll();
    }

    using Key = std::pair<QueueId, std::uint32_t>;

    Draw draw;
    GeneratedDirectory drawn;
    OrganizationPtr snapshot;
    std::optional<AddressTools> tools;
    std::vector<QueuedMessage> accepted;  // each of its own id
    std::map<Key, int> ends;              // final words of the agents
    std::set<Key> taken;                  // good ones among them
    std::map<Key, int> attempts_of;
    std::vector<std::string> wrongs;  // what no agent should be asked for

  private:
    void announce(const QueuedMessage& message) {
        accepted.push_back(message);
        manager->announce(std::make_shared<const QueuedMessage>(message));
    }

    // Most take it, some never, some at their third attempt; some hops are down at first.
    DeliveryReport answer(const DeliveryJob& job) {
        if (job.message->origin.connector == "DSN") {
            return report_delivered(job);
        }
        if (!down_.insert(job.hop.key()).second || luck(job.hop.key()) > 1) {
            return answer_each(job);
        }
        return report_hop_failure("connection refused");
    }

    DeliveryReport answer_each(const DeliveryJob& job) {
        ExpectedRows expected(*snapshot, drawn);
        DeliveryReport report;
        for (const auto number : job.recipients) {
            const auto& row = job.message->recipients.at(number);
            const Key key{job.message->id, number};
            if (ends[key] != 0 || is_final(row.state)) {
                wrongs.push_back(row_text(row) + " is handed over again");
            }
            const auto hop = expected.hop_of(row, job.message->content.size());
            if (job.hop.key() != hop) {
                wrongs.push_back(row_text(row) + " at " + job.hop.key() + ", not at " + hop);
            }
            const auto fortune = luck(row_text(row));
            const bool waits = fortune > 7 && ++attempts_of[key] < 3;
            const auto one = waits         ? report_deferred(job, "450 4.2.0 later")
                             : fortune > 5 ? report_failed(job, "550 5.1.1 no")
                                           : report_delivered(job);
            const auto position = std::find(job.recipients.begin(), job.recipients.end(), number) -
                                  job.recipients.begin();
            report.recipients.push_back(one.recipients[static_cast<std::size_t>(position)]);
            ends[key] += waits ? 0 : 1;
            if (!waits && fortune <= 5) taken.insert(key);
        }
        return report;
    }

    [[nodiscard]] std::size_t luck(const std::string& what) const {
        std::size_t sum = seed_;
        for (const char c : what)
            sum = sum * 131 + static_cast<unsigned char>(c);
        return sum % 10;
    }

    std::uint64_t seed_;
    std::set<std::string> down_;
};

// Numbers of a message are in one group, each once.
bool is_split(const RoutedMessage& routed, std::vector<std::uint32_t> live) {
    std::vector<std::uint32_t> all;
    std::set<std::string> hops;
    for (const auto& group : routed.groups) {
        all.insert(all.end(), group.recipients.begin(), group.recipients.end());
        hops.insert(group.hop.key());
    }
    for (const auto& [number, status] : routed.failures)
        all.push_back(number);
    std::sort(all.begin(), all.end());
    return all == live && hops.size() == routed.groups.size();
}

}  // namespace

TEST_CASE("Categorizing and routing again decides the same", "[queue][property]") {
    for (std::uint64_t seed = 1; seed <= property_seeds(kOrganizations); ++seed) {
        DrawnFlow flow(seed);
        // The same configuration, listed and loaded the other way round.
        auto parts = flow.organization;
        std::reverse(parts.send_connectors.begin(), parts.send_connectors.end());
        std::reverse(parts.accepted_domains.begin(), parts.accepted_domains.end());
        std::reverse(parts.address_rewrites.begin(), parts.address_rewrites.end());
        const auto reversed = std::make_shared<const Organization>(parts);
        const AddressTools reversed_tools(reversed, Srs::Mac(&mac_of));
        MemoryDirectory other;
        std::reverse(flow.drawn.recipients.begin(), flow.drawn.recipients.end());
        flow.drawn.copy_to(other);
        for (int i = 0; i < kEnvelopes; ++i) {
            auto message = flow.draw_message();
            auto request = flow.draw_request(message.content.size());
            CAPTURE(seed, i);

            const auto first = flow.decide(request);
            const auto second = flow.decide(request);
            request.tools = &reversed_tools;
            const auto third = flow.lane.run(categorize(other, reversed, request)).value();

            REQUIRE(whole_text(first) == whole_text(second));
            REQUIRE(whole_text(first) == whole_text(third));
            message.recipients = first.recipients;
            const auto live = live_numbers(message);
            const auto routed = whole_text(route_message(message, live, *flow.snapshot));
            REQUIRE(routed == whole_text(route_message(message, live, *flow.snapshot)));
            REQUIRE(routed == whole_text(route_message(message, live, *reversed)));
        }
    }
}

TEST_CASE(
    "Nobody is lost or doubled by expansion, copies, forwarding and the split by next hop",
    "[queue][property]") {
    std::map<std::string, int> seen;
    for (std::uint64_t seed = 1; seed <= property_seeds(kOrganizations); ++seed) {
        DrawnFlow flow(seed);
        ExpectedRows expected(*flow.snapshot, flow.drawn);
        for (int i = 0; i < kEnvelopes; ++i) {
            auto message = flow.draw_message();
            const auto request = flow.draw_request(message.content.size());
            CAPTURE(seed, i, request.sender.path.text());

            auto found = flow.decide(request);

            const auto rows = sorted_rows(found.recipients);
            REQUIRE(rows == expected.of(request));
            // Whoever is named twice and refused is answered for twice, but nobody gets two copies.
            auto places = rows;
            std::erase_if(places, [](const auto& row) { return row.find(" > ") != row.npos; });
            REQUIRE(std::adjacent_find(places.begin(), places.end()) == places.end());
            for (const auto& note : found.notes)
                seen[note.event ? std::to_string(static_cast<int>(*note.event)) : ""] += 1;
            const auto most = static_cast<std::uint32_t>(1 + flow.draw.below(4));
            message.envelope.reverse_path = request.sender.path;
            const auto submission =
                submission_of(std::move(message), std::move(found), most, flow.ids);
            auto all = submission.message.recipients;
            REQUIRE(is_split(
                route_message(submission.message, live_numbers(submission.message), *flow.snapshot),
                live_numbers(submission.message)));
            for (const auto& copy : submission.copies) {
                REQUIRE(copy.recipients.size() <= most);
                all.insert(all.end(), copy.recipients.begin(), copy.recipients.end());
            }
            REQUIRE(sorted_rows(all) == rows);
        }
    }
    // Groups, forwardings, rewriting, failures and what is dropped were all among it.
    CHECK(seen.size() >= 6);
}

TEST_CASE("Each recipient comes to one end, and is reported on once", "[queue][property]") {
    std::size_t delivered_or_failed = 0;
    for (std::uint64_t seed = 1; seed <= property_seeds(kOrganizations); ++seed) {
        DrawnFlow flow(seed);
        flow.start();
        for (int i = 0; i < kEnvelopes; ++i) {
            auto message = flow.draw_message();
            const auto request = flow.draw_request(message.content.size());
            auto found = flow.decide(request);
            if (found.is_over()) continue;
            message.envelope.reverse_path = request.sender.path;
            const auto most = static_cast<std::uint32_t>(1 + flow.draw.below(4));
            flow.accept(submission_of(std::move(message), std::move(found), most, flow.ids));
        }

        flow.lane.advance(std::chrono::hours(10));

        CAPTURE(seed);
        CHECK(flow.wrongs == std::vector<std::string>());
        CHECK(flow.store.messages().empty());
        std::map<std::pair<QueueId, std::string>, int> told;  // the ends that tracking has
        for (const auto& event : flow.tracking.events()) {
            const bool is_end = event.event == TrackingEventId::deliver ||
                                event.event == TrackingEventId::send ||
                                event.event == TrackingEventId::fail;
            for (const auto& address : event.recipients)
                told[{event.queue_id, address}] += is_end ? 1 : 0;
        }
        std::map<DrawnFlow::Key, int> reported;
        for (const auto& mark : flow.gated().report_marks()) {
            for (const auto number : mark.recipients)
                reported[{mark.message, number}] += mark.delay ? 0 : 1;
        }
        for (const auto& message : flow.accepted) {
            for (const auto& row : message.recipients) {
                CAPTURE(row_text(row), message.id.text());
                const DrawnFlow::Key key{message.id, row.number};
                const auto ends = flow.ends[key];
                if (is_final(row.state)) {
                    REQUIRE(ends == 0);
                } else {
                    REQUIRE(ends <= 1);
                    REQUIRE(told[{message.id, row.address.text()}] == 1);
                    ++delivered_or_failed;
                }
                REQUIRE(reported[key] <= 1);
                if (message.report_to(row).text() == kStranger) {
                    const bool is_good =
                        flow.taken.contains(key) || row.state == RecipientState::delivered;
                    const bool is_owed =
                        row.dsn.wants(is_good ? NotifyOn::success : NotifyOn::failure);
                    REQUIRE(reported[key] == (is_owed ? 1 : 0));
                }
            }
        }
    }
    CHECK(delivered_or_failed > 10 * kOrganizations);
}

}  // namespace mailflow
