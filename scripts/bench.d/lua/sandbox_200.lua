-- Row sandbox-200, as the peer runs it.
require "hand_rolled" "random_200"
