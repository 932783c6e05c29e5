-- expect: error
-- profile: narrow
-- message: (index|method)
-- A string's methods are the profile's own: none, where `string` is not allowed.
ngx.say(("LEAK"):rep(3))
