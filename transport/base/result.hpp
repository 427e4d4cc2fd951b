// What a function that may fail returns: a value or an error code. For expected failures only; mail
// outcomes are values of their own types, broken invariants throw. Used everywhere; safe in any
// thread.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace mailflow {

using ErrorCode = boost::system::error_code;

template <class T = void>
using Result = boost::system::result<T>;

}  // namespace mailflow
