-- A search that takes the fifth power of the subject's length.
string.rep("x", 3000):match(string.rep(".-", 5) .. "y")
