-- expect: memory
-- Beyond what a string may have; the length is more than 32, 53 and 64 bits can tell.
pcall(string.rep, "x", 2 ^ 31)
pcall(string.rep, "xx", 2 ^ 32)
pcall(string.rep, ("x"):rep(1000), 2 ^ 54)
pcall(string.rep, ("x"):rep(1000), 2 ^ 63)
return #("xxxx"):rep(1073741824.5, ("y"):rep(1000))
