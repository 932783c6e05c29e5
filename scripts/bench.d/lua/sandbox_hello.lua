-- Row sandbox-hello, as the peer runs it.
require "hand_rolled" "hello"
