# Test::Nginx::Socket under the name that Lua suites use.
package Test::Nginx::Socket::Lua;

use strict;
use warnings;

use Test::Nginx::Socket -base;

1;
