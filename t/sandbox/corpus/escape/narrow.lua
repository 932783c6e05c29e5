-- expect: ok
-- profile: narrow
-- ways: file api thread
-- says: nil nil nil nil
-- A profile of two names: no other is there, and none can be reached by a string.
ngx.say(tostring(pcall), " ", tostring(string), " ", tostring(_G), " ", tostring(ngx.header))
