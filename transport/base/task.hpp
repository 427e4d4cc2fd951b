// The coroutine type of the flow and the completion token of every Asio operation. A Task runs on
// the lane that awaits or spawned it and never leaves it. Errors are looked at where they occur:
// `auto [error, n] = co_await op(use_result);`
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>

namespace mailflow {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;

template <class T = void>
using Task = asio::awaitable<T, Executor>;

constexpr auto use_result = asio::as_tuple(asio::deferred);

}  // namespace mailflow
