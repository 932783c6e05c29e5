-- The attack that the path names, as the peer runs it.
require "hand_rolled" ("attacks/" .. ngx.var[1])
