#include "server/daemon/mx_lookup.hpp"

#include "transport/base/one_shot.hpp"

#include <memory>
#include <string>
#include <utility>

namespace mailflow {

namespace {

using Answer = DnsAnswer<MxRecord>;
// Shared by who waits, who asks and who gives up; touched on the console lane alone.
using Pending = std::shared_ptr<OneShot<Answer>>;

// No part of the coroutine: GCC 12 takes the assignment there for one beyond the bounds.
Answer no_answer() {
    Answer none;
    none.detail = std::string("no answer in time");
    return none;
}

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
    complete_once(pending, no_answer());
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
