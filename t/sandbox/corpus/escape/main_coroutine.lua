-- expect: ok
-- ways: file api thread
-- says: nil
-- The host's coroutines are out of reach.
ngx.say(tostring(coroutine.running()))
