// The socket calls c-ares makes, ours so that UDP answers can be overheard: c-ares 1.18 does not
// say with which code its servers failed. What is overheard is not checked yet and serves messages
// to people only. Used by AresChannel.
#pragma once

#include "transport/base/ip_address.hpp"

#include <string_view>

struct ares_channeldata;

namespace mailflow::dns {

class DatagramListener {
  public:
    virtual ~DatagramListener() = default;
    virtual void on_datagram(std::string_view packet, const Endpoint& from) noexcept = 0;
};

// The listener outlives the channel.
void use_own_sockets(ares_channeldata* channel, DatagramListener& listener);

}  // namespace mailflow::dns
