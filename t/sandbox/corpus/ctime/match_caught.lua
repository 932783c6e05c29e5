-- expect: cpu
while true do
    pcall(string.match, ("x"):rep(3000), (".-"):rep(5) .. "y")
end
