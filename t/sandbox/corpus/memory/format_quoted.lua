-- expect: memory
return #("%q"):format(("\0"):rep(1500000))
