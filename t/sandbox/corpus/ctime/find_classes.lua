-- expect: ok
-- says: false false false false true
-- Patterns that end where they must not.
ngx.say((pcall(string.find, "a", "[a")), " ", (pcall(string.find, "a", "%")), " ", (pcall(string.find, "a", "[%")), " ",
    (pcall(string.find, "a", "%f")), " ", (pcall(string.find, "a", "[]]")))
