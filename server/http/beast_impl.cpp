// Beast's implementation, compiled in this one place (BOOST_BEAST_SEPARATE_COMPILATION).
#include <boost/beast/src.hpp>
