-- expect: error
for _, level in ipairs { -1, 0, 1, 2, 1000, 2 ^ 31, 0 / 0 } do pcall(error, "x", level) end
error("x", 2 ^ 31 - 1)
