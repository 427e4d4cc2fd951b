#include "server/daemon/binding_probe.hpp"

#include "transport/net/call_on.hpp"

#include <algorithm>

namespace mailflow {

struct BindingProbe::Failed {
    Endpoint binding;
    ErrorCode error;
    bool beside_our_own = false;  // a listener of ours that gives way, or serves it too
};

namespace {

// Whether a listener of ours is why `wanted` is in use. With port 0 it has the port by chance, and
// keeps it.
bool gives_way(const ListenerState& listener, const Endpoint& wanted) {
    const auto& local = listener.local;
    return listener.is_open() && listener.binding.port != 0 && local.port == wanted.port &&
           local.address.is_v4() == wanted.address.is_v4() &&
           (local.address.is_unspecified() || wanted.address.is_unspecified());
}

}  // namespace

Task<std::vector<BindingProbe::Failed>> BindingProbe::try_all(const std::vector<Endpoint>& wanted) {
    const auto listeners = parts_.state();
    std::vector<Failed> failed;
    for (const auto& binding : wanted) {
        auto acceptor = parts_.network.listen(parts_.door, binding);
        if (acceptor) {
            (*acceptor)->close();
            continue;
        }
        const bool ours =
            acceptor.error() == boost::system::errc::address_in_use &&
            std::any_of(listeners.begin(), listeners.end(), [&binding](const auto& listener) {
                return gives_way(listener, binding);
            });
        failed.push_back({binding, acceptor.error(), ours});
    }
    co_return failed;
}

Task<std::string> BindingProbe::find_holder(Endpoint endpoint, HolderSearch search) {
    if (!parts_.find_holder) {
        co_return std::string();
    }
    const auto look = [this, &endpoint, search] {
        return parts_.find_holder(endpoint, search);
    };
    auto holder = co_await offload(parts_.worker, look);
    co_return holder;
}

Task<std::vector<RefusedBinding>> BindingProbe::probe(std::vector<Endpoint> wanted) {
    const auto attempt = [this, &wanted] {
        return try_all(wanted);
    };
    const auto failed = co_await call_on(parts_.console, parts_.door, attempt);
    std::vector<RefusedBinding> refused;
    for (const auto& failure : failed) {
        const auto search =
            failure.beside_our_own ? HolderSearch::other_processes : HolderSearch::anyone;
        std::string holder;
        if (failure.error == boost::system::errc::address_in_use) {
            holder = co_await find_holder(failure.binding, search);
        }
        if (!failure.beside_our_own || !holder.empty()) {
            refused.push_back({failure.binding, binding_failure_words(failure.error, holder)});
        }
    }
    co_return refused;
}

}  // namespace mailflow
