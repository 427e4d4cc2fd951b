#include "server/daemon/mx_lookup.hpp"

#include "transport/base/one_shot.hpp"

#include <memory>
#include <utility>

namespace mailflow {

namespace {

using Answer = DnsAnswer<MxRecord>;
// Shared by who waits, who asks and who gives up; touched on the console lane alone.
using Pending = std::shared_ptr<OneShot<Answer>>;

void complete_once(const Pending& pending, Answer answer) {
    if (!pending->is_complete()) {
        pending->complete(std::move(answer));
    }
}

Task<void> ask(Lane* console, Resolver* resolver, DomainName domain, Pending pending) {
    auto answer = co_await resolver->find_mx(std::move(domain));
    console->post([pending = std::move(pending), answer = std::move(answer)]() mutable {
        complete_once(pending, std::move(answer));
    });
}

Task<void> give_up(Lane* console, MonotonicTime when, Pending pending) {
    co_await console->sleep_until(when);
    Answer none;
    none.detail = "no answer in time";
    complete_once(pending, std::move(none));
}

}  // namespace

Task<Answer> MxLookup::find(DomainName domain) {
    auto pending = std::make_shared<OneShot<Answer>>();
    lane_.post([lane = &lane_, console = &console_, resolver = &resolver_, domain, pending] {
        lane->spawn("look MX up for the console", ask(console, resolver, domain, pending));
    });
    const auto when = console_.clock().monotonic() + kLimit;
    console_.spawn("limit of an MX look-up", give_up(&console_, when, pending));
    auto answer = co_await pending->wait();
    co_return answer;
}

}  // namespace mailflow
